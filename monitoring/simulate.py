"""Says what the alarms make of metric data: `python -m monitoring.simulate SERIES.csv`.

Prints each alarm's change of state with its event, the rules that match, what they deliver, and
what the actions do; `--plot` draws it.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitoring import naming, series, simulation
from monitoring.cloudformation import Document
from monitoring.inventory import InventoryError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitoring.simulation import Result

_EXAMPLES = """\
examples:
  python -m monitoring.simulate recorded.csv --stage prod
  python -m monitoring.simulate recorded.csv --template build/monitoring.json --plot alarms.svg
  python -m monitoring.simulate recorded.csv --parameter DryRun=false --json

SERIES.csv has the columns time,namespace,metric,dimensions,value; see monitoring/series.py.
"""


def document(body: Mapping[str, Any], stage: str, parameters: Mapping[str, str]) -> Document:
    """Return a monitoring template with values for what has none of its own."""
    return Document(
        body,
        {
            "AWS::AccountId": "222222222222",
            "AWS::Region": "us-east-1",
            "AWS::StackName": naming.stack(stage),
            "AWS::StackId": f"arn:aws:cloudformation:us-east-1:222222222222:stack/{stage}/id",
            "ArtifactBucket": "artifacts",
            "WorkloadAccountId": "111111111111",
            **parameters,
        },
    )


def timeline(result: Result) -> list[dict[str, Any]]:
    """Return everything that happened, in order, as plain values."""
    entries: list[tuple[float, int, dict[str, Any]]] = []
    for number, change in enumerate(result.changes):
        entries.append(
            (
                change.time,
                number,
                {
                    "minute": (change.time - result.start) / 60,
                    "time": change.time,
                    "alarm": change.alarm,
                    "state": change.new,
                    "previous": change.old,
                    "reason": change.reason,
                    "suppressed_by": change.event["detail"]["state"].get("actionsSuppressedBy"),
                    "rules": [
                        {
                            "rule": delivery.rule,
                            "target": delivery.target,
                            "message": json.loads(delivery.message),
                        }
                        for delivery in change.deliveries
                    ],
                },
            )
        )
    for number, done in enumerate(result.done):
        entries.append(
            (
                done.time,
                len(result.changes) + number,
                {"minute": (done.time - result.start) / 60, "time": done.time, "done": done.record},
            )
        )
    return [entry for _, _, entry in sorted(entries, key=lambda one: one[:2])]


def lines(result: Result) -> list[str]:
    """Return the timeline as text, a few lines a change."""
    told = []
    for entry in timeline(result):
        moment = datetime.fromtimestamp(entry["time"], UTC)
        when = f"{moment:%H:%M:%S} (minute {entry['minute']:g})"
        if "done" in entry:
            told.append(f"{when}  action  {entry['done']['summary']}")
            continue
        held = f", suppressed by {entry['suppressed_by']}" if entry["suppressed_by"] else ""
        told.append(f"{when}  {entry['previous']} -> {entry['state']}  {entry['alarm']}{held}")
        told.append(f"    {entry['reason']}")
        for rule in entry["rules"]:
            message = rule["message"]
            summary = message.get("summary") or f"action {message['action']}"
            told.append(f"    {rule['rule']} -> {rule['target'].strip('${}')}: {summary}")
    if not told:
        told.append("no alarm changed its state")
    if result.not_simulated:
        told.append(f"not simulated (anomaly detection): {', '.join(result.not_simulated)}")
    return told


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate and print; return the process's exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m monitoring.simulate",
        description="Say what the alarms, rules and actions make of metric data, with "
        "CloudWatch's semantics.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("series", type=Path, metavar="SERIES.csv")
    parser.add_argument("--stage", default="prod", help="default: prod")
    parser.add_argument(
        "--template", type=Path, help="monitoring.json (default: built anew for the stage)"
    )
    parser.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the template; may be given more than once",
    )
    parser.add_argument("--json", action="store_true", help="print the timeline as JSON")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="draw it as well")
    options = parser.parse_args(arguments)
    parameters = dict(text.partition("=")[::2] for text in options.parameter)
    try:
        if options.template:
            body = json.loads(options.template.read_text(encoding="utf-8"))
        else:
            from monitoring import build

            body = build.templates(options.stage)["monitoring"].to_dict()
        with options.series.open(encoding="utf-8", newline="") as file:
            samples = series.read(file)
        result = simulation.run(document(body, options.stage, parameters), samples)
        if options.plot:
            from monitoring import plot

            plot.write(options.plot, result, str(options.series))
    except (InventoryError, ValueError, KeyError, OSError) as error:
        where = f"{options.series}: " if isinstance(error, series.SeriesError) else ""
        print(f"python -m monitoring.simulate: {where}{error}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(timeline(result), indent=1))
    else:
        print("\n".join(lines(result)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
