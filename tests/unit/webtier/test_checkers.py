"""Templates with every pair of option values, through the checkers others would run on them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import ModuleType

import pytest

from tests.checkov import run as checkov
from tests.nag import run as nag
from tests.parliament import run as parliament
from tests.unit.webtier.combinations import VALUES, covering
from webtier import build
from webtier.options import Options


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A file for each combination of options."""
    directory = tmp_path_factory.mktemp("combinations")
    return [
        build.write(build.template(options), directory / str(number))
        for number, options in enumerate(covering())
    ]


def test_every_pair_of_values_is_in_a_combination() -> None:
    found = covering()
    for name, values in VALUES.items():
        for other, others in VALUES.items():
            if name < other:
                pairs = {(getattr(one, name), getattr(one, other)) for one in found}
                assert pairs == {(value, match) for value in values for match in others}


def test_no_option_is_left_out() -> None:
    for field in dataclasses.fields(Options):
        assert len({getattr(options, field.name) for options in covering()}) > 1, field.name


def test_cfn_lint_finds_nothing_not_even_advice(templates: list[Path], cfn_lint) -> None:
    assert cfn_lint(*templates) == ""


@pytest.mark.parametrize("checker", [checkov, nag, parliament], ids=lambda one: one.__name__)
def test_the_checker_finds_nothing_and_no_excuse_is_idle(
    templates: list[Path], checker: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    status = checker.main([str(template) for template in templates])
    printed = capsys.readouterr().out
    assert status == 0, printed
    assert f"in {len(templates)} files" in printed or "node and npm are not installed" in printed


def test_parliament_would_find_a_misspelt_action(templates: list[Path], tmp_path: Path) -> None:
    wrong = tmp_path / "webtier.json"
    wrong.write_text(templates[0].read_text().replace('"s3:PutObject"', '"s3:PutObjekt"'))
    assert parliament.main([str(wrong)]) == 1
