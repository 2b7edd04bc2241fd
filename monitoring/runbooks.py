"""The runbook pages in docs/runbooks, made of the catalogue of conditions and the inventory.

`python -m monitoring.runbooks` writes them, `--check` says which are not as they would be written.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from monitoring import alarms, build, conditions, naming, thresholds
from monitoring.composites import severities
from monitoring.inventory import ROOT, InventoryError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from monitoring.alarms import Alarm
    from monitoring.conditions import Condition
    from monitoring.inventory import Service
    from monitoring.thresholds import Thresholds

FOLDER = ROOT / "docs" / "runbooks"
_MARK = (
    "<!-- Written by `python -m monitoring.runbooks`; change monitoring/conditions.py instead. -->"
)

_MAINTENANCE = """\
A service is being worked on: its composite alarms are suppressed, so nobody is told. Their changes
are kept in the queue `notifications` all the same, and incident notes are written.

Open a window before the work begins:

    python -m monitoring.maintenance SERVICE --stage STAGE --minutes 30

It closes by itself, two hours later at most. What is still in ALARM then is told as
`ALARM after the maintenance window`.
"""

_FORWARDED = {
    "forwarded-stack": (
        (
            "A stack of the workload account could not be created, changed or deleted, and was "
            "rolled back where that was possible."
        ),
        (
            (
                "aws cloudformation describe-stack-events --stack-name STACK --query "
                "\"StackEvents[?ends_with(ResourceStatus, 'FAILED')]\""
            ),
        ),
        (
            "The first failed event names the resource and the reason; the others follow from it.",
            "`python -m deploy PART --stage STAGE` says the same in its first line.",
        ),
    ),
    "forwarded-health": (
        "AWS reports trouble with a service, a planned change, or a problem of the account.",
        ("aws health describe-events --filter eventStatusCodes=open,upcoming",),
        (
            "An issue: tell the callers, wait, and look at the alarms that follow from it.",
            "A scheduled change: plan it, and open a maintenance window for it.",
        ),
    ),
}


def pages(stage: str, services: Sequence[Service], numbers: Thresholds) -> dict[str, str]:
    """Return every page by the name of its file, for the services as they are in the stage."""
    made = {service.name: tuple(alarms.of(service, numbers)) for service in services}
    result = {
        f"{condition.name}.md": _condition_page(condition, numbers)
        for condition in conditions.CATALOGUE
    }
    for service in services:
        result[f"service-{service.name}.md"] = _service_page(stage, service, made[service.name])
    result["maintenance.md"] = f"# Maintenance\n\n{_MARK}\n\n{_MAINTENANCE}"
    for name, (meaning, look, do) in _FORWARDED.items():
        body = "\n".join([meaning, "", *_steps(look, do)])
        result[f"{name}.md"] = f"# {name}\n\n{_MARK}\n\n{body}"
    result["README.md"] = _index(services, made)
    return result


def _condition_page(condition: Condition, numbers: Thresholds) -> str:
    threshold = numbers.conditions[condition.name]
    meaning = condition.meaning.format(
        threshold=threshold.threshold, timeout="its own", limit="its own or the account's"
    )
    lines = [
        f"# {condition.name}",
        "",
        _MARK,
        "",
        f"An alarm of each {condition.of}. {meaning}",
        "",
        "| severity | threshold | for | unit |",
        "|---|---|---|---|",
        (
            f"| {threshold.severity} | {threshold.threshold:g} "
            f"| {threshold.datapoints} of {threshold.periods} minutes | {condition.unit} |"
        ),
        "",
        "## What it means",
        "",
        condition.consequence,
        "",
        *_steps(condition.look, condition.do),
    ]
    return "\n".join(lines)


def _steps(look: Sequence[str], do: Sequence[str]) -> Iterator[str]:
    yield "## Look"
    yield ""
    yield "In the account that the alarm names; `NAME` is what it names there:"
    yield ""
    for command in look:
        yield "    " + command.replace("{name}", "NAME")
    yield ""
    yield "## Do"
    yield ""
    for step in do:
        yield f"- {step}"
    yield ""


def _service_page(stage: str, service: Service, children: Sequence[Alarm]) -> str:
    prefix = f"monitoring-STAGE/{service.name}"
    told = " and ".join(f"`{prefix}/{severity}`" for severity in severities(children))
    lines = [
        f"# {service.name}",
        "",
        _MARK,
        "",
        (
            f"Owner: {service.owner}. Account: the {service.account} account. People are told of "
            f"{told}; the reason names the alarm below that came last. "
            f"Suppressed while `{prefix}/{naming.MAINTENANCE}` is in ALARM."
        ),
        "",
        "| alarm | severity | of | goes off |",
        "|---|---|---|---|",
    ]
    for alarm in children:
        name = naming.alarm("STAGE", service.name, alarm.subject, alarm.condition)
        threshold = alarm.threshold
        where = alarm.dimensions[0][1].replace(f"-{stage}", "-STAGE")
        number = f"{threshold.threshold:g} {alarm.label}"
        lines.append(
            f"| [{name}]({alarm.condition}.md) | {alarm.severity} | {where} "
            f"| {number}, {threshold.datapoints} of {threshold.periods} minutes |"
        )
    return "\n".join([*lines, ""])


def _index(services: Sequence[Service], made: Mapping[str, Sequence[Alarm]]) -> str:
    lines = ["# Runbooks", "", _MARK, "", "| service | owner | alarms |", "|---|---|---|"]
    lines += [
        f"| [{service.name}](service-{service.name}.md) | {service.owner} "
        f"| {len(made[service.name])} |"
        for service in services
    ]
    lines += ["", "| condition | of | goes off |", "|---|---|---|"]
    for condition in conditions.CATALOGUE:
        first = condition.consequence.split(". ")[0].rstrip(".")
        lines.append(f"| [{condition.name}]({condition.name}.md) | {condition.of} | {first}. |")
    others = ", ".join(
        f"[{name}]({name}.md)" for name in ("maintenance", *_FORWARDED, "thresholds")
    )
    return "\n".join([*lines, "", f"Besides: {others}.", ""])


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the pages; return the process's exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m monitoring.runbooks", description="Write the runbook pages."
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 where a page is out of date"
    )
    parser.add_argument("--stage", default="prod", help="read the services of it (default: prod)")
    parser.add_argument("--output", metavar="DIR", type=Path, default=FOLDER)
    options = parser.parse_args(arguments)
    try:
        watched = build.services(options.stage)
        every = (*watched, *build.own_services(options.stage, watched))
        written = pages(options.stage, every, thresholds.load())
        stale = _stale(options.output, written)
        if options.check:
            for name in stale:
                print(f"{options.output / name}: run `python -m monitoring.runbooks`")
            return 1 if stale else 0
        options.output.mkdir(parents=True, exist_ok=True)
        for name in stale:
            path = options.output / name
            if name in written:
                path.write_text(written[name], encoding="utf-8")
            else:
                path.unlink()
            print(path)
    except (InventoryError, ValueError, OSError) as error:
        print(f"python -m monitoring.runbooks: {error}", file=sys.stderr)
        return 1
    return 0


def _stale(folder: Path, written: Mapping[str, str]) -> list[str]:
    """The names of pages that are missing, different, or no longer made."""
    there = {
        path.name: path.read_text(encoding="utf-8")
        for path in folder.glob("*.md")
        if path.name != "thresholds.md"  # of monitoring.scenarios
    }
    return sorted(
        name for name in there.keys() | written.keys() if there.get(name) != written.get(name)
    )


if __name__ == "__main__":
    sys.exit(main())
