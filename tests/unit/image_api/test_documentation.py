"""docs/image_api.md says what the code does."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from image_api.chalicelib import formats, images, presets, problems, settings, storage, uploads
from image_api.resources import (
    FAILURE_RETENTION_DAYS,
    RENDITION_RETENTION_DAYS,
    SOURCE_RETENTION_DAYS,
)
from problem_details import ProblemType

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "image_api.md").read_text(encoding="utf-8")


def rows(*titles: str) -> list[tuple[str, ...]]:
    """The rows of the table that has these titles, its first columns only."""
    lines = TEXT.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith(f"| {' | '.join(titles)} |"))
    table = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        cells = [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        table.append(tuple(cells[: len(titles)]))
    return table


def test_every_problem_type_is_documented():
    declared = [value for value in vars(problems).values() if isinstance(value, ProblemType)]
    assert len(declared) == 11
    assert sorted(rows("type", "status", "title")) == sorted(
        (each.slug, str(each.status), each.title) for each in declared
    )


def test_every_preset_is_documented():
    assert rows("preset", "width") == [(each.name, str(each.width)) for each in presets.PRESETS]


def test_every_route_is_documented(load_app, monkeypatch):
    app = load_app(
        "image_api",
        {"SOURCE_BUCKET": "a", "DESTINATION_BUCKET": "b", "AWS_DEFAULT_REGION": "us-east-1"},
    ).app
    documented = {
        (method, path.split("?")[0].replace("{id}", "{image_id}"))
        for method, path in (request.split(" ") for (request,) in rows("request"))
    }
    assert documented == {
        (method, path) for path, methods in app.routes.items() for method in methods
    }


def test_limits_are_the_codes():
    for said in (
        f"{uploads.MAX_BODY_BYTES:,} bytes",
        f"up to {settings.DEFAULT_MAX_UPLOAD_BYTES:,} bytes",
        f"within {storage.UPLOAD_LIFETIME // 60} minutes",
        f"for {FAILURE_RETENTION_DAYS} days",
        f"`limit` is 1 to {images.MAX_LIMIT} ({images.DEFAULT_LIMIT} if left out)",
        f"{formats.MAX_PIXELS // 10**6} megapixels, or fewer",
        f"{formats.MAX_SOURCE_SIDE:,} pixels on a side",
        f"{formats.MAX_BYTES // 2**20} MiB",
        f"quality {presets.Quality.jpeg}",
        f"for {SOURCE_RETENTION_DAYS} days, a rendition for one",
    ):
        assert said in TEXT, said
    assert RENDITION_RETENTION_DAYS == 1


def test_links_lead_to_files():
    for target in re.findall(r"\]\(([^\s)#]+)", TEXT):
        assert (Path(__file__).parents[3] / "docs" / target).is_file(), target


def test_every_fault_that_is_documented_is_proven():
    documented = {fault for fault, _outcome in rows("what happens", "what comes of it")}
    documented |= {fault for fault, _outcome in rows("what fails", "what comes of it")}
    proven = {
        # As `rows` gives them.
        claim.strip("`")
        for folder in ("tests/integration/image_api", "tests/system")
        for file in (ROOT / folder).glob("test_*.py")
        for claim in claims(file)
    }
    assert proven == documented


def claims(file: Path) -> set[str]:
    """What the tests of a file are marked to prove."""
    return {
        ast.literal_eval(decorator.args[0])
        for function in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(function, ast.FunctionDef)
        for decorator in function.decorator_list
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.proves"
    }
