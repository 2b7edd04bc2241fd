import re
from pathlib import Path

from crud_api import resources
from crud_api.chalicelib import items, settings, strict_json

ROOT = Path(resources.__file__).parent.parent
GUIDE = (ROOT / "docs" / "crud_api.md").read_text()


def test_the_guide_lists_the_catalogue_of_problems(load_app):
    module = load_app(
        "crud_api",
        {"ITEMS_TABLE": "t", "CURSOR_SECRET": "s", "AWS_DEFAULT_REGION": "us-east-1"},
    )
    rows = re.findall(r"^\| `([a-z-]+)` \| (\d+) \| ([^|]+) \|", GUIDE, re.MULTILINE)
    catalogue = module.operations.problems.CATALOGUE
    assert rows == [(kind.slug, str(kind.status), kind.title) for kind in catalogue]


def test_the_guide_lists_the_operations(load_app):
    module = load_app(
        "crud_api",
        {"ITEMS_TABLE": "t", "CURSOR_SECRET": "s", "AWS_DEFAULT_REGION": "us-east-1"},
    )
    listed = set(re.findall(r"^\| `([A-Z]+) (/[a-z{}/:.]+)", GUIDE, re.MULTILINE))
    assert listed == {
        (method, path.replace("item_id", "id"))
        for path, methods in module.app.routes.items()
        for method, entry in methods.items()
        if entry.view_name != "refuse"
    }


def test_the_guide_states_the_limits():
    for text in (
        f"1 to {items.MAX_NAME} characters",
        f"up to {items.MAX_DESCRIPTION:,} characters",
        f"up to {items.MAX_TAGS} different strings of 1 to {items.MAX_TAG} characters",
        f"more than {strict_json.MAX_DEPTH} levels",
        f"more than {strict_json.MAX_DIGITS} significant digits",
        f"1E{strict_json.MIN_EXPONENT} to 9.9E+{strict_json.MAX_EXPONENT}",
        f"`newest` of {settings.DEFAULT_SHARDS} shards",
    ):
        assert text in GUIDE


def test_the_links_of_the_guide_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)", GUIDE):
        assert (ROOT / "docs" / target).is_file(), target
