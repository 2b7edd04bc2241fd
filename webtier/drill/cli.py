"""The command: `python -m webtier.drill`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from monitoring.semantics.composite_rules import AlarmRuleError
from monitoring.semantics.metric_math import MetricMathError
from webtier import subject
from webtier.drill import assumptions, outcome, promises, reading, report
from webtier.drill.assumptions import AssumptionError, Assumptions
from webtier.drill.drills import DRILLS
from webtier.drill.promises import PromiseError
from webtier.drill.tier import TemplateError
from webtier.subject import SubjectError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from webtier.drill.outcome import Outcome

_EPILOG = """\
exit code: 0 every promise holds, 1 one is broken, 2 wrong usage or template

examples:
  python -m webtier.drill
  python -m webtier.drill lose-zone --template build/webtier.json --plot build/drills
  python -m webtier.drill --stage prod --assume boot_seconds=150

What the drills assume and how they work: docs/drills.md.
"""


class _Failure(Exception):
    """The command cannot go on; the message is one line."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the drills, print what came of them; return the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.list:
        print("\n".join(f"{name:20}{drill.what}" for name, drill in DRILLS.items()))
        return 0
    if options.assumptions:
        for name, default, unit, meaning, source in assumptions.table():
            print(f"{name}={default} ({unit})\n    {meaning}; source: {source}")
        return 0
    try:
        return _drill(options)
    except BrokenPipeError:
        raise
    except (
        _Failure,
        AlarmRuleError,
        AssumptionError,
        MetricMathError,
        PromiseError,
        SubjectError,
        TemplateError,
    ) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
    except OSError as error:
        print(f"{parser.prog}: {error.filename}: {error.strerror}", file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m webtier.drill",
        description="Say what the web tier's template would do when something goes wrong, minute "
        "by minute, and whether its promises hold.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="drills to run (default: all that apply)"
    )
    subject.add_arguments(parser)
    parser.add_argument(
        "--assume",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an assumption; may be given more than once",
    )
    parser.add_argument(
        "--promises", type=Path, default=promises.FILE, metavar="FILE", help="your own promises"
    )
    parser.add_argument("--plot", type=Path, metavar="DIR", help="draw each drill into it, as SVG")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--list", action="store_true", help="list the drills")
    parser.add_argument("--assumptions", action="store_true", help="list the assumptions")
    return parser


def _drill(options: argparse.Namespace) -> int:
    body, parameters = subject.given(options)
    tier = reading.read(body, parameters)
    applicable = outcome.applicable(tier)
    for name in options.names:
        if name not in DRILLS:
            raise _Failure(f"{name} is no drill: choose from {', '.join(DRILLS)}")
        if name not in applicable:
            raise _Failure(f"{name}: this template has nothing of the kind to lose")
    if options.plot:
        _make(options.plot)
    found = []
    assumed = Assumptions().changed(options.assume)
    for one in outcome.outcomes(tier, assumed, promises.load(options.promises), options.names):
        found.append(one)
        if not options.json:
            print("\n".join(report.text(one)) + "\n", flush=True)
        if options.plot:
            _plot(options.plot, one)
    unread = [*tier.unread, *_not_modelled(found)]
    holds = all(one.holds for one in found)
    if options.json:
        document = {
            "holds": holds,
            "parameters": parameters,
            "left_out": unread,
            "drills": [report.plain(one) for one in found],
        }
        print(json.dumps(document, indent=1))
    else:
        _print_summary(found, parameters, unread)
    return 0 if holds else 1


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise _Failure(f"{folder}: not a directory") from error


def _plot(folder: Path, found: Outcome) -> None:
    from webtier.drill import plot

    path = folder / f"{found.drill.name}.svg"
    plot.write(path, found)
    print(path, file=sys.stderr)


def _not_modelled(found: Sequence[Outcome]) -> list[str]:
    """Alarms that no drill has the data of."""
    left = [set(one.worst.not_modelled) for one in found]
    names = sorted(set.intersection(*left)) if left else []
    return [f"{name}: the drills have no data of its metric" for name in names]


def _print_summary(
    found: Sequence[Outcome], parameters: dict[str, str], unread: Sequence[str]
) -> None:
    if parameters:
        given = ", ".join(f"{name}={value}" for name, value in parameters.items())
        print(f"parameters: {given}")
    for line in unread:
        print(f"left out: {line}")
    kept = [one for single in found for one in single.promises]
    broken = [one for one in kept if not one.holds]
    print(f"{len(kept) - len(broken)} of {len(kept)} promises hold")
    for one in broken:
        print(f"✘ {one.promise.name}: {one.reason}")
