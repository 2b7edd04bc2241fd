"""Why the thresholds are what they are: four situations, simulated with other numbers beside them.

`python -m monitoring.scenarios` writes docs/runbooks/thresholds.md and its drawings, `--check` says
whether the page is as it would be written.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from monitoring import build, plot, simulate, simulation, thresholds
from monitoring.conditions import MINIMUM_FAILURES, MINIMUM_REQUESTS
from monitoring.inventory import ROOT, InventoryError
from monitoring.situations import BEGIN, END, MINUTES, SITUATIONS, samples
from monitoring.thresholds import Thresholds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from monitoring.inventory import Service
    from monitoring.simulation import Result
    from monitoring.situations import Situation
    from monitoring.thresholds import Threshold

FOLDER = ROOT / "docs" / "runbooks"
PAGE = "thresholds.md"
STAGE = "prod"

Told = dict[str, float]
"""When each condition first went off, in minutes after the situation began."""

IN_WORDS = {
    "client-error-rate": "half of all requests refused for five minutes is a broken client",
    "concurrency": "at 80 % there is still time to raise the limit before anything is throttled",
    "events-dropped": "one that is given up is work that nobody does",
    "not-empty": "one message there waits for somebody",
    "failures-lost": "each is an event lost for good, so that one is enough",
    "depth": "500 alarms in a minute put 1,000 messages there, and are worked off in time",
    "message-age": "two actions at a time take seconds; ten minutes is an action that hangs",
    "archive-depth": "nobody empties it: 50,000 in two weeks are 150 changes an hour",
    "unusual-traffic": "it learns what is usual; an anomaly detector is not simulated",
}
"""What the situations do not show of a number."""


def _times(factor: float) -> Callable[[Threshold], Threshold]:
    return lambda number: replace(number, threshold=number.threshold * factor)


def _at_once(number: Threshold) -> Threshold:
    return replace(number, datapoints=1, periods=1)


AS_SET, FIFTH, FOUR_TIMES, AT_ONCE, UNGUARDED = (
    "as set",
    "a fifth",
    "four times",
    "1 of 1 minute",
    "without guard",
)
VARIANTS: dict[str, Callable[[Threshold], Threshold]] = {
    AS_SET: lambda number: number,
    FIFTH: _times(0.2),
    FOUR_TIMES: _times(4),
    AT_ONCE: _at_once,
    UNGUARDED: lambda number: number,
}
"""Other numbers to compare with: is the threshold too low, right, too high, too quick?"""


def simulated(
    services: tuple[Service, ...],
    numbers: Thresholds,
    situation: Situation,
    *,
    guarded: bool = True,
) -> Result:
    """Simulate a situation; without `guarded`, one request is enough for a rate."""
    text = _template(services, tuple(numbers.conditions.items()))
    if not guarded:
        for guard in (f"errors >= {MINIMUM_FAILURES}", f"requests >= {MINIMUM_REQUESTS}"):
            text = text.replace(guard, guard.split()[0] + " >= 1")
    document = simulate.document(json.loads(text), STAGE, {})
    return simulation.run(document, samples(services, situation))


@cache
def _template(services: tuple[Service, ...], conditions: tuple[tuple[str, Threshold], ...]) -> str:
    numbers = Thresholds(dict(conditions), {})
    return json.dumps(build.monitoring_template(STAGE, services, numbers).to_dict())


def first_alarms(result: Result) -> Told:
    """Return when each condition first went off."""
    found: Told = {}
    for change in result.changes:
        if change.new == "ALARM" and change.alarm in result.values:
            condition = change.alarm.rsplit("/", 1)[1]
            found.setdefault(condition, (change.time - result.start) / 60 - BEGIN)
    return found


def compare(
    services: tuple[Service, ...], numbers: Thresholds, situation: Situation
) -> dict[str, tuple[Told, Result]]:
    """Simulate a situation with each variant of the numbers."""
    compared = {}
    for variant, change in VARIANTS.items():
        table = {key: change(number) for key, number in numbers.conditions.items()}
        result = simulated(
            services,
            replace(numbers, conditions=table),
            situation,
            guarded=variant != UNGUARDED,
        )
        compared[variant] = first_alarms(result), result
    return compared


def page(services: tuple[Service, ...], numbers: Thresholds, drawings: Path | None = None) -> str:
    """Return the page, and write its drawings into the folder where one is given."""
    told = [
        "# Thresholds",
        "",
        "<!-- `python -m monitoring.scenarios` writes this page; see monitoring/scenarios.py. -->",
        "",
        (
            f"Each situation is {MINUTES} minutes of made-up data of "
            f"{' and '.join(service.name for service in services)}, simulated by "
            f"`monitoring.simulation`. It begins at minute 0 and ends at minute {END - BEGIN}. A "
            "table says at which minute an alarm goes off, as it is set and with other numbers; – "
            "is: not at all; below 0: before there was anything. "
            f"`Without guard` takes away the {MINIMUM_FAILURES} failures or {MINIMUM_REQUESTS} "
            "requests a minute that a rate needs. [Each number](#each-number) says what follows."
        ),
        "",
    ]
    columns: dict[str, dict[str, Told]] = {}
    for situation in SITUATIONS:
        file = f"scenario-{situation.name.replace(' ', '-')}.svg"
        compared = compare(services, numbers, situation)
        columns[situation.name] = {variant: found for variant, (found, _) in compared.items()}
        if drawings is not None:
            plot.write(
                drawings / file,
                compared[AS_SET][1],
                f"A {situation.name}",
                [f"monitoring-{STAGE}/{alarm}" for alarm in situation.shown],
                situation=(BEGIN, END),
            )
        told += [f"## A {situation.name}", "", situation.what, ""]
        told += [f"![{situation.name}]({file})", ""]
        told += _table(columns[situation.name], numbers)
    told += ["## Each number", "", "| alarm | goes off at | why |", "|---|---|---|"]
    for condition, number in numbers.conditions.items():
        because = why(condition, columns)
        at = f"{number.threshold:g}, {number.datapoints} of {number.periods} minutes"
        told.append(f"| [{condition}]({condition}.md) | {at} | {because} |")
    return "\n".join([*told, ""])


def _table(columns: Mapping[str, Told], numbers: Thresholds) -> Iterator[str]:
    conditions = [name for name in numbers.conditions if any(name in c for c in columns.values())]
    yield f"| alarm | {' | '.join(columns)} |"
    yield "|---" * (len(columns) + 1) + "|"
    for condition in conditions:
        cells = (f"{c[condition]:g}" if condition in c else "–" for c in columns.values())
        yield f"| {condition} | {' | '.join(cells)} |"
    yield ""


def why(condition: str, columns: Mapping[str, Mapping[str, Told]]) -> str:
    """Return what the situations say for a condition's number, in words.

    `columns` has when conditions went off, by situation and variant.
    """
    told = {
        name: variants[AS_SET][condition]
        for name, variants in columns.items()
        if condition in variants[AS_SET]
    }
    said = [f"tells of a {name} at minute {minute:g}" for name, minute in told.items()]
    for variant, text in (
        (FIFTH, "a fifth of it would go off in"),
        (AT_ONCE, "one minute alone would go off in"),
        (UNGUARDED, "without its guard it would go off in"),
    ):
        false = [
            f"a {situation.name}"
            for situation in SITUATIONS
            if not situation.alarming
            and condition in columns[situation.name][variant]
            and situation.name not in told
        ]
        if false:
            said.append(f"{text} {' and '.join(false)}")
    for name, minute in told.items():
        later = columns[name][FOUR_TIMES].get(condition)
        if later is None:
            said.append(f"four times as much would miss a {name}")
        elif later > minute:
            said.append(f"four times as much would tell of a {name} at minute {later:g}")
    if condition in IN_WORDS:
        said.append(IN_WORDS[condition])
    text = "; ".join(said)
    return f"{text[:1].upper()}{text[1:]}."


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the page; return the process's exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m monitoring.scenarios",
        description="Simulate four situations, and write what they do to the thresholds.",
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 where it is out of date"
    )
    options = parser.parse_args(arguments)
    try:
        services = build.services(STAGE)
        if options.check:
            path = FOLDER / PAGE
            text = page(services, thresholds.load())
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                print(f"{path}: run `python -m monitoring.scenarios`")
                return 1
            return 0
        FOLDER.mkdir(parents=True, exist_ok=True)
        text = page(services, thresholds.load(), FOLDER)
        (FOLDER / PAGE).write_text(text, encoding="utf-8")
    except (InventoryError, ValueError, OSError) as error:
        print(f"python -m monitoring.scenarios: {error}", file=sys.stderr)
        return 1
    print(FOLDER / PAGE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
