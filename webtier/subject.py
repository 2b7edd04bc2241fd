"""Which template a command is about, and the values of its parameters."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from webtier.drill import reading

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

STAGES = Path(__file__).with_name("stages.toml")


class SubjectError(ValueError):
    """There is no such stage, template or parameter; the message is one line."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `--template`, `--stage` and `--parameter`."""
    parser.add_argument(
        "--template", type=Path, metavar="FILE", help="JSON (default: built with its defaults)"
    )
    parser.add_argument("--stage", help="take the options and parameters of webtier/stages.toml")
    parser.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the template; may be given more than once",
    )


def given(arguments: argparse.Namespace) -> tuple[dict[str, Any], dict[str, str]]:
    """The template, and the values of parameters, of the arguments.

    What only the one who deploys can know has a stand-in. Raises SubjectError, OSError.
    """
    stage = _stage(arguments.stage)
    body = _template(arguments.template, stage)
    return body, _parameters(body, stage, arguments.parameter)


def _stage(name: str | None) -> dict[str, Any]:
    if name is None:
        return {}
    try:
        stages = tomllib.loads(STAGES.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise SubjectError(f"{STAGES} is not TOML: {error}") from error
    if name not in stages:
        raise SubjectError(f"stage {name} is none of {', '.join(stages)}")
    return dict(stages[name])


def _template(path: Path | None, stage: dict[str, Any]) -> dict[str, Any]:
    if path is None:
        from webtier.build import template
        from webtier.options import Options

        try:
            return dict(template(Options.from_table(stage.get("options", {}))).to_dict())
        except ValueError as error:
            raise SubjectError(f"the stage's options in {STAGES.name}: {error}") from error
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SubjectError(f"{path} is no JSON: {error}") from error
    return dict(body) if isinstance(body, dict) else {}


def _parameters(
    body: dict[str, Any], stage: dict[str, Any], settings: Sequence[str]
) -> dict[str, str]:
    of_stage = {name: str(value) for name, value in stage.get("parameters", {}).items()}
    parameters = {**reading.stand_ins(body), **of_stage}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise SubjectError(f"--parameter {setting}: give NAME=VALUE")
        parameters[name] = text
    return parameters
