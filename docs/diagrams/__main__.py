"""Draw every picture: `python -m docs.diagrams --help`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from docs.diagrams import (
    chalice_apps,
    crud_api,
    drawio,
    image_api,
    layout,
    monitoring,
    overview,
    svg,
    webtier,
)
from docs.diagrams.resources import Resources

if TYPE_CHECKING:
    from docs.diagrams.picture import Picture

HERE = Path(__file__).resolve().parent


def pictures(templates: Path) -> list[Picture]:
    """Every picture of the templates in a directory, in the order of the README."""

    def read(name: str, **values: str) -> Resources:
        return Resources(templates / f"{name}.json", values)

    parts = [
        webtier.picture(read("webtier", **webtier.VALUES)),
        image_api.picture(
            chalice_apps.read("image_api"), read("image_api"), read("image_api_operations")
        ),
        crud_api.picture(chalice_apps.read("crud_api"), read("crud_api")),
    ]
    watching = monitoring.picture(
        read("monitoring", **monitoring.VALUES), read("workload", **monitoring.WORKLOAD_VALUES)
    )
    return [overview.picture(parts, watching), *parts, watching]


def draw(drawn: list[Picture]) -> dict[str, bytes]:
    """The pictures' files by name. Raises LayoutError."""
    files = {}
    for picture, placed in zip(drawn, layout.place(drawn), strict=True):
        document = svg.render(picture, placed)
        files[f"{picture.name}.svg"] = document.encode()
        files[f"{picture.name}.png"] = svg.png(document)
        files[f"{picture.name}.drawio"] = drawio.render(picture, placed).encode()
    return files


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code: 1 where a file could not be drawn or differs."""
    parser = argparse.ArgumentParser(
        prog="python -m docs.diagrams",
        description="Draw the architectures from their templates, as SVG, PNG and diagrams.net.",
    )
    parser.add_argument(
        "--templates", type=Path, default=Path("build"), metavar="DIR", help="default: build"
    )
    parser.add_argument(
        "--output", type=Path, default=HERE, metavar="DIR", help="default: docs/diagrams"
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 where a file would change"
    )
    given = parser.parse_args(arguments)
    try:
        files = draw(pictures(given.templates))
    except FileNotFoundError as error:
        print(f"{parser.prog}: {error.filename} is missing: make templates", file=sys.stderr)
        return 1
    except (ValueError, layout.LayoutError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    changed = [name for name, data in files.items() if _content(given.output / name) != data]
    if given.check:
        for name in changed:
            print(f"{name} is no longer what the templates say: make diagrams", file=sys.stderr)
        return 1 if changed else 0
    given.output.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (given.output / name).write_bytes(data)
        print(given.output / name)
    return 0


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
