"""Why the thresholds are what they are: four situations, simulated with other numbers beside them.

`python -m monitoring.scenarios` writes docs/runbooks/thresholds.md and its drawings, `--check` says
whether they are as they would be written. The data is made up, the same every time, of what the
apps' metrics look like: rates, durations and shares are named in the code below.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from monitoring import build, plot, simulate, simulation, thresholds
from monitoring.conditions import MINIMUM_FAILURES, MINIMUM_REQUESTS
from monitoring.inventory import ROOT, InventoryError
from monitoring.series import Sample
from monitoring.thresholds import Thresholds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from monitoring.inventory import Service
    from monitoring.simulation import Result
    from monitoring.thresholds import Threshold

FOLDER = ROOT / "docs" / "runbooks"
PAGE = "thresholds.md"
STAGE = "prod"
SERVICE = "image_api"

MINUTES = 120
BEGIN, END = 40, 70
"""When a situation begins and ends, in minutes."""

_DRAWN = 40  # samples that a minute's durations are drawn with


@dataclass(frozen=True)
class Minute:
    """One minute of one service's traffic.

    `requests` come to the API, `failing` is the share of them that fails, `refused` the share
    answered with 4xx, `seconds` the median of a request, `spread` how much slower the slow ones
    are, `throttled` how many invocations Lambda refuses.
    """

    requests: int
    failing: float = 0.001
    refused: float = 0.03
    seconds: float = 0.15
    spread: float = 0.5
    throttled: int = 0


def _quiet_night(minute: int) -> Minute:
    # Two requests a minute; every quarter of an hour one event fails for good, on its three tries:
    # Lambda waits a minute before the second and two before the third.
    failed = minute % 15 in (7, 8, 10)
    return Minute(2, failing=0.5 if failed else 0.0, refused=0.5 if minute % 11 == 3 else 0.0)


def _traffic_spike(minute: int) -> Minute:
    if not BEGIN <= minute < END:
        return Minute(60)
    # Thirty times the traffic within a minute: some slower, and throttled while Lambda scales.
    return Minute(
        1800, failing=0.015, seconds=0.25, spread=0.7, throttled=30 if minute == BEGIN else 0
    )


def _bad_deployment(minute: int) -> Minute:
    # One route of four raises, until the deployment is taken back.
    return Minute(60, failing=0.25) if BEGIN <= minute < END else Minute(60)


def _slow_dependency(minute: int) -> Minute:
    if not BEGIN <= minute < END:
        return Minute(60)
    # From 150 ms to the time-out of the function, in ten minutes.
    return Minute(60, seconds=min(24.0, 0.15 * 1.7 ** (minute - BEGIN)), spread=0.2)


SCENARIOS: dict[str, tuple[str, Callable[[int], Minute]]] = {
    "quiet night": (
        (
            "Two requests a minute; now and then one is refused, or fails for good. Nobody should "
            "be woken."
        ),
        _quiet_night,
    ),
    "traffic spike": (
        (
            "Thirty times the traffic for half an hour: a little slower, throttled for a minute "
            "while Lambda scales. Nothing is broken."
        ),
        _traffic_spike,
    ),
    "bad deployment": (
        "A quarter of the requests fail from one minute to the next. It has to be told at once.",
        _bad_deployment,
    ),
    "slow dependency": (
        "Requests become slower until they reach the time-out. It has to be told before they do.",
        _slow_dependency,
    ),
}


def _times(factor: float) -> Callable[[Threshold], Threshold]:
    return lambda number: replace(number, threshold=number.threshold * factor)


def _at_once(number: Threshold) -> Threshold:
    return replace(number, datapoints=1, periods=1)


VARIANTS: dict[str, Callable[[Threshold], Threshold]] = {
    "as set": lambda number: number,
    "a fifth": _times(0.2),
    "four times": _times(4),
    "1 of 1 minute": _at_once,
}
"""Other numbers to compare with: is the threshold too low, right, too high, too quick?"""


def samples(service: Service, minute_of: Callable[[int], Minute]) -> list[Sample]:
    """Return two hours of a service's metrics: its functions' and its API's."""
    generator = random.Random(service.name)  # noqa: S311 - the same every time
    return [
        sample
        for minute in range(MINUTES)
        for sample in _samples(service, minute, minute_of(minute), generator)
    ]


def _samples(
    service: Service, number: int, minute: Minute, generator: random.Random
) -> Iterator[Sample]:
    time = number * 60.0 + 30
    failed = round(minute.requests * minute.failing)
    drawn = [
        min(28.0, minute.seconds * generator.lognormvariate(0, minute.spread)) * 1000
        for _ in range(min(minute.requests, _DRAWN))
    ]
    where: tuple[tuple[str, str], ...]
    for function in service.functions:
        where = (("FunctionName", function.name),)
        busy = minute.requests / 60 * minute.seconds + 1
        for metric, value in (
            ("Invocations", minute.requests),
            ("Errors", failed),
            ("Throttles", minute.throttled),
            ("ConcurrentExecutions", busy),
        ):
            yield Sample(time, "AWS/Lambda", metric, where, value)
        for value in drawn:
            yield Sample(time, "AWS/Lambda", "Duration", where, value)
    if service.rest_api:
        where = (("ApiName", service.rest_api.name), ("Stage", service.rest_api.stage))
        for metric, value in (
            ("Count", minute.requests),
            ("5XXError", failed + minute.throttled),
            ("4XXError", round(minute.requests * minute.refused)),
        ):
            yield Sample(time, "AWS/ApiGateway", metric, where, value)
        for value in drawn:
            yield Sample(time, "AWS/ApiGateway", "Latency", where, value + 20)


def simulated(
    service: Service,
    numbers: Thresholds,
    minute_of: Callable[[int], Minute],
    *,
    guarded: bool = True,
) -> Result:
    """Simulate a situation; without `guarded`, one request is enough for a rate."""
    body = json.loads(_template(service, tuple(numbers.conditions.items())))
    if not guarded:
        text = json.dumps(body)
        for guard in (f"errors >= {MINIMUM_FAILURES}", f"requests >= {MINIMUM_REQUESTS}"):
            text = text.replace(guard, guard.split()[0] + " >= 1")
        body = json.loads(text)
    return simulation.run(simulate.document(body, STAGE, {}), samples(service, minute_of))


@cache
def _template(service: Service, conditions: tuple[tuple[str, Threshold], ...]) -> str:
    numbers = Thresholds(dict(conditions), {})
    return json.dumps(build.monitoring_template(STAGE, [service], numbers).to_dict())


def first_alarms(result: Result) -> dict[str, float]:
    """Return when each condition first went off, in minutes after the situation began."""
    found: dict[str, float] = {}
    for change in result.changes:
        if change.new == "ALARM" and change.alarm in result.values:
            condition = change.alarm.rsplit("/", 1)[1]
            found.setdefault(condition, (change.time - result.start) / 60 - BEGIN)
    return found


def page(service: Service, numbers: Thresholds, drawings: Path | None = None) -> str:
    """Return the page, and write its drawings into the folder where one is given."""
    told = [
        "# Thresholds",
        "",
        "<!-- `python -m monitoring.scenarios` writes this page; see monitoring/scenarios.py. -->",
        "",
        (
            f"Each situation is {MINUTES} minutes of made-up data of {service.name}, simulated by "
            f"`monitoring.simulation`. It begins at minute {BEGIN} and ends at minute {END}. The "
            "table says how many minutes after its beginning an alarm goes off, as it is "
            "set and with other numbers; – is: not at all, 0 or less: before it began. "
            f"`Without guard` takes away the {MINIMUM_FAILURES} failures or {MINIMUM_REQUESTS} "
            "requests a minute that a rate needs."
        ),
        "",
    ]
    for name, (what, minute_of) in SCENARIOS.items():
        file = f"scenario-{name.replace(' ', '-')}.svg"
        columns = {}
        for variant, change in VARIANTS.items():
            table = {key: change(number) for key, number in numbers.conditions.items()}
            result = simulated(service, replace(numbers, conditions=table), minute_of)
            columns[variant] = first_alarms(result)
            if variant == "as set" and drawings is not None:
                prefix = f"monitoring-{STAGE}/{service.name}"
                shown = [
                    f"{prefix}/api_handler/error-rate",
                    f"{prefix}/api_handler/duration",
                    f"{prefix}/rest_api/latency",
                ]
                plot.write(drawings / file, result, name, shown)
        unguarded = simulated(service, numbers, minute_of, guarded=False)
        columns["without guard"] = first_alarms(unguarded)
        told += [f"## A {name}", "", what, "", f"![{name}]({file})", ""]
        told += _table(columns, numbers)
    return "\n".join(told)


def _table(columns: dict[str, dict[str, float]], numbers: Thresholds) -> Iterator[str]:
    conditions = [name for name in numbers.conditions if any(name in c for c in columns.values())]
    if not conditions:
        yield "Nothing goes off."
        yield ""
        return
    yield f"| alarm | {' | '.join(columns)} |"
    yield "|---" * (len(columns) + 1) + "|"
    for condition in conditions:
        cells = (f"{c[condition]:g}" if condition in c else "–" for c in columns.values())
        yield f"| {condition} | {' | '.join(cells)} |"
    yield ""


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
        service = next(found for found in build.services(STAGE) if found.name == SERVICE)
        if options.check:
            path = FOLDER / PAGE
            text = page(service, thresholds.load())
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                print(f"{path}: run `python -m monitoring.scenarios`")
                return 1
            return 0
        FOLDER.mkdir(parents=True, exist_ok=True)
        text = page(service, thresholds.load(), FOLDER)
        (FOLDER / PAGE).write_text(text, encoding="utf-8")
    except (InventoryError, ValueError, OSError) as error:
        print(f"python -m monitoring.scenarios: {error}", file=sys.stderr)
        return 1
    print(FOLDER / PAGE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
