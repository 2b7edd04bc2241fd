"""The committed pictures are what the templates and apps say, and change when those do."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from docs.diagrams import access, icons
from docs.diagrams.__main__ import HERE, draw, main, pictures
from docs.diagrams.picture import Edge, Node, Picture

ROOT = Path(__file__).resolve().parent.parent.parent.parent
BUILDERS = (
    "webtier/build.py",
    "monitoring/build.py",
    "image_api/resources.py",
    "crud_api/resources.py",
)
SVG = "{http://www.w3.org/2000/svg}"
NAMES = ("overview", "webtier", "image_api", "crud_api", "monitoring")


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("templates")
    for builder in BUILDERS:
        subprocess.run([sys.executable, ROOT / builder, "--output", directory], check=True)
    return directory


@pytest.fixture(scope="module")
def drawn(templates: Path) -> dict[str, Picture]:
    return {picture.name: picture for picture in pictures(templates)}


@pytest.fixture(scope="module")
def files(drawn: dict[str, Picture]) -> dict[str, bytes]:
    return draw(list(drawn.values()))


def test_the_committed_files_are_what_make_diagrams_draws(files: dict[str, bytes]) -> None:
    stale = [name for name, data in files.items() if (HERE / name).read_bytes() != data]
    assert stale == [], "make diagrams"


def test_every_committed_picture_is_drawn_from_something(files: dict[str, bytes]) -> None:
    committed = {path.name for path in HERE.iterdir() if path.suffix in (".svg", ".png", ".drawio")}
    assert committed == set(files)


@pytest.mark.parametrize(
    "template",
    ["webtier", "image_api", "image_api_operations", "crud_api", "monitoring", "workload"],
)
def test_a_resource_less_changes_a_picture(
    templates: Path, drawn: dict[str, Picture], tmp_path: Path, template: str
) -> None:
    for path in templates.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    edited = tmp_path / f"{template}.json"
    body = json.loads(edited.read_text())
    # One that no other refers to, as is the last in the order of the alphabet of most templates.
    text = json.dumps(body["Resources"])
    removed = next(key for key in reversed(body["Resources"]) if text.count(f'"{key}"') == 1)
    del body["Resources"][removed]
    edited.write_text(json.dumps(body))
    assert pictures(tmp_path) != list(drawn.values()), removed


def test_check_names_what_is_stale(
    templates: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--templates", str(templates), "--output", str(tmp_path)]
    assert main([*arguments, "--check"]) == 1
    assert "crud_api.svg is no longer what the templates say" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    assert main(arguments) == 0
    assert main([*arguments, "--check"]) == 0


def test_without_templates_it_says_how_to_get_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--templates", str(tmp_path)]) == 1
    assert "webtier.json is missing: make templates" in capsys.readouterr().err


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_needs_no_other_file_and_says_what_it_shows(
    files: dict[str, bytes], drawn: dict[str, Picture], name: str
) -> None:
    document = ElementTree.fromstring(files[f"{name}.svg"])
    assert document.findtext(f"{SVG}title") == drawn[name].title
    assert document.findtext(f"{SVG}desc")
    links = [image.get("href", "") for image in document.iter(f"{SVG}image")]
    assert links
    assert all(link.startswith("data:image/png;base64,") for link in links)
    shown = {text.text for text in document.iter(f"{SVG}text")}
    assert {line for node in drawn[name].nodes for line in node.label} <= shown
    assert files[f"{name}.png"].startswith(b"\x89PNG\r\n\x1a\n")


@pytest.mark.parametrize("name", NAMES)
def test_a_drawio_file_has_every_part_in_its_group(
    files: dict[str, bytes], drawn: dict[str, Picture], name: str
) -> None:
    cells = {
        cell.get("id"): cell
        for cell in ElementTree.fromstring(files[f"{name}.drawio"]).iter("mxCell")
    }
    picture = drawn[name]
    for node in picture.nodes:
        assert cells[node.key].get("parent") == (node.group or "1")
        assert "shape=mxgraph.aws4." in cells[node.key].get("style", "")
    for group in picture.groups:
        assert cells[group.key].get("parent") == (group.parent or "1")
    arrows = [cell for cell in cells.values() if cell.get("edge")]
    assert len(arrows) == sum(edge.visible for edge in picture.edges)
    assert all(arrow.get("source") in cells and arrow.get("target") in cells for arrow in arrows)


@pytest.mark.parametrize("name", NAMES)
def test_labels_are_words_not_logical_ids(drawn: dict[str, Picture], name: str) -> None:
    brands = re.compile("CloudWatch|DynamoDB|EventBridge|PostgreSQL")
    lines = [brands.sub("", line) for node in drawn[name].nodes for line in node.label]
    assert lines
    assert [line for line in lines if re.search(r"[a-z][A-Z]|\$\{|_", line)] == []


def test_the_steps_of_the_image_flow_are_all_there(drawn: dict[str, Picture]) -> None:
    steps = [edge.step for edge in drawn["image_api"].edges if edge.step is not None]
    assert sorted(steps) == [1, 2, 3, 4, 5, 6]
    page = (ROOT / "docs" / "image_api.md").read_text()
    told = re.search(r"!\[[^\]]*\]\(diagrams/image_api.svg\)\n\n((?:\d\. .*\n(?:   .*\n)*)+)", page)
    assert told, "the page tells the steps below the picture"
    assert re.findall(r"^(\d)\. ", told[1], re.MULTILINE) == ["1", "2", "3", "4", "5", "6"]


@pytest.mark.parametrize("icon", icons.ICONS)
def test_every_icon_is_there(icon: str) -> None:
    assert icons.data_uri(icon).startswith("data:image/png;base64,iVBORw0KGgo")


@pytest.mark.parametrize(
    ("actions", "resource", "expected"),
    [
        ("dynamodb:GetItem", "arn:aws:dynamodb:r:1:table/items", "reads"),
        (["s3:PutObject", "s3:GetObject"], "arn:aws:s3:::items/a/*", "reads and writes"),
        ("sqs:SendMessage", "arn:aws:sqs:r:1:items", "writes"),
        (
            "secretsmanager:GetSecretValue",
            "arn:aws:secretsmanager:r:1:secret:items-??????",
            "reads",
        ),
        ("s3:GetObject", "arn:aws:s3:::other-items/*", ""),
        ("s3:GetObject", "arn:aws:s3:::items-2/*", ""),
        ("s3:ListBucket", "arn:aws:s3:::items", ""),
    ],
)
def test_rights_in_words(actions: str | list[str], resource: str, expected: str) -> None:
    policy = {"Statement": [{"Effect": "Allow", "Action": actions, "Resource": resource}]}
    assert access.words(policy, "items") == expected


def test_a_picture_refuses_an_arrow_to_nothing() -> None:
    with pytest.raises(ValueError, match="the edge to b names b"):
        Picture("p", "P", "LR", (), (Node("a", "api", ("A",)),), (Edge("a", "b"),))


def test_a_picture_refuses_a_group_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="there is no group g"):
        Picture("p", "P", "LR", (), (Node("a", "api", ("A",), "g"),), ())
