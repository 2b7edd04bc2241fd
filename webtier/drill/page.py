"""Writes docs/drills.md and its drawings: `python -m webtier.drill.page`; `--check` compares.

Its words are in page.md. Everything that could grow old is made of the code: the promises and
what the default template makes of them, timelines, assumptions, what broken templates are told.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from webtier.build import template
from webtier.drill import assumptions, outcome, plot, promises, reading, report
from webtier.drill.assumptions import Assumptions
from webtier.options import Options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from webtier.drill.outcome import Outcome

DOCS = Path(__file__).resolve().parents[2] / "docs"
FRAME = Path(__file__).with_name("page.md")
PAGE = "drills.md"
DRAWINGS = "drills"

Body = dict[str, Any]


@dataclass(frozen=True)
class Example:
    """A template that somebody might write, and what of ours it lacks."""

    what: str
    change: Callable[[Body], None]


def _set(resource: str, *path: str | int, value: Any) -> Callable[[Body], None]:
    def change(body: Body) -> None:
        target = body["Resources"][resource]
        for key in path[:-1]:
            target = target[key]
        target[path[-1]] = value

    return change


def _remove(*resources: str) -> Callable[[Body], None]:
    def change(body: Body) -> None:
        for resource in resources:
            del body["Resources"][resource]

    return change


_UPDATE = ("UpdatePolicy", "AutoScalingRollingUpdate")
EXAMPLES = (
    Example(
        "one NAT gateway for two zones",
        _set(
            "ApplicationDefaultRouteB",
            "Properties",
            "NatGatewayId",
            value={"Ref": "NatGatewayA"},
        ),
    ),
    Example("one instance is enough", _set("Group", "Properties", "MinSize", value=1)),
    Example(
        "the group asks the machine, not the application",
        _set("Group", "Properties", "HealthCheckType", value="EC2"),
    ),
    Example("no room to grow", _set("Group", "Properties", "MaxSize", value=4)),
    Example(
        "a rolling update that does not wait",
        _set("Group", *_UPDATE, value={"MinInstancesInService": 2, "MaxBatchSize": 1}),
    ),
    Example(
        "a rolling update that takes one away first",
        _set("Group", *_UPDATE, "MinInstancesInService", value=1),
    ),
    Example(
        "instances that are targets while they boot",
        lambda body: body["Resources"]["Group"]["Properties"].pop("LifecycleHookSpecificationList"),
    ),
    Example("no alarm on the group's capacity", _remove("CapacityAlarm")),
    Example("a database without a standby", _set("Database", "Properties", "MultiAZ", value=False)),
    Example(
        "a disk that does not grow",
        lambda body: body["Resources"]["Database"]["Properties"].pop("MaxAllocatedStorage"),
    ),
    Example("no alarm on the disk", _remove("DatabaseStorageAlarm")),
    Example("no alarm on the application's errors", _remove("ApplicationErrorsAlarm")),
    Example("no events of the database", _remove("DatabaseEvents")),
    Example("alarms that nobody subscribed to", _remove("AlertEmailSubscription")),
    Example(
        "a health check that asks the database",
        _set("TargetGroup", "Properties", "HealthCheckPath", value="/ready"),
    ),
)


def default() -> Body:
    """The default template, as CloudFormation gets it."""
    body: Body = json.loads(json.dumps(template(Options()).to_dict()))
    return body


def drilled(body: Body) -> list[Outcome]:
    """What comes of all drills of a template, with the promises and assumptions as they are."""
    tier = reading.read(body, reading.stand_ins(body))
    return list(outcome.outcomes(tier, Assumptions(), promises.load()))


def page(found: Sequence[Outcome], examples: Sequence[Example] = EXAMPLES) -> str:
    """The page."""
    return Template(FRAME.read_text(encoding="utf-8")).substitute(
        promises="\n".join(_promises(found)),
        broken="\n".join(_broken(examples)),
        drills="\n\n".join(_drill(one) for one in found),
        assumptions="\n".join(_assumptions()),
    )


def _promises(found: Iterable[Outcome]) -> Iterator[str]:
    yield "| promise | drill | says | default |"
    yield "|---|---|---|---|"
    for one in found:
        for kept in one.promises:
            mark = "✔" if kept.holds else "✘"
            cells = (
                f"`{kept.promise.name}`",
                f"`{one.drill.name}`",
                kept.promise.text,
                f"{mark} {report.value(kept)}",
            )
            yield f"| {' | '.join(cells)} |"


def _broken(examples: Iterable[Example]) -> Iterator[str]:
    yield "| change | broken promise | reason |"
    yield "|---|---|---|"
    for example in examples:
        body = copy.deepcopy(default())
        example.change(body)
        kept = [one for single in drilled(body) for one in single.promises if not one.holds]
        for number, one in enumerate(kept):
            what = example.what if number == 0 else ""
            yield f"| {what} | `{one.promise.name}` | {one.reason} |"


def _drill(one: Outcome) -> str:
    run = one.worst
    lines = [f"## {one.drill.title}", "", one.drill.what, ""]
    lines += [f"![{one.drill.title}]({DRAWINGS}/{one.drill.name}.svg)", ""]
    entries = report.timeline(run)
    if entries:
        lines += ["```", *(f"{report.clock(run, at):>9}  {what}" for at, what in entries), "```"]
    return "\n".join(lines).rstrip()


def _assumptions() -> Iterator[str]:
    yield "| assumption | default | meaning | source |"
    yield "|---|---|---|---|"
    for name, value, unit, meaning, source in assumptions.table():
        yield f"| `{name}` | {value} {unit} | {meaning} | {source} |"


def write(folder: Path) -> Path:
    """Write the page and its drawings into a folder; returns the page. Raises OSError."""
    found = drilled(default())
    drawings = folder / DRAWINGS
    drawings.mkdir(parents=True, exist_ok=True)
    for one in found:
        plot.write(drawings / f"{one.drill.name}.svg", one)
    path = folder / PAGE
    path.write_text(page(found), encoding="utf-8")
    return path


def differences(folder: Path = DOCS) -> list[str]:
    """The files of the folder that are not as they would be written, by their names."""
    with tempfile.TemporaryDirectory() as scratch:
        write(Path(scratch))
        fresh = {
            path.relative_to(scratch): path.read_bytes()
            for path in Path(scratch).rglob("*")
            if path.is_file()
        }
    stored = {path.relative_to(folder): path for path in (folder / DRAWINGS).glob("*.svg")}
    stored[Path(PAGE)] = folder / PAGE
    return sorted(
        str(name)
        for name in {*fresh, *stored}
        if name not in stored
        or not stored[name].exists()
        or stored[name].read_bytes() != fresh.get(name)
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the page; return the process's exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m webtier.drill.page",
        description="Write docs/drills.md and its drawings.",
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 where they are out of date"
    )
    options = parser.parse_args(arguments)
    try:
        if options.check:
            outdated = differences()
            for name in outdated:
                print(f"docs/{name}: run `{parser.prog}`")
            return 1 if outdated else 0
        print(write(DOCS))
    except OSError as error:
        print(f"{parser.prog}: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
