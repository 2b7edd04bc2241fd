"""Made-up metrics of four situations: what each default threshold has to get right.

The data is the same every time. What it looks like is named in the code: rates, durations, shares.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitoring.series import Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from monitoring.inventory import Function, RestApi, Service, Table

MINUTES = 120
BEGIN, END = 40, 70
"""When a situation begins and ends, in minutes."""

RETRIED = 4
"""Minutes until Lambda gives an event up: it tries at once, after one minute and after two more."""

_DRAWN = 40  # samples that a minute's durations are drawn with
_HANDLER = "api_handler"


@dataclass(frozen=True)
class Minute:
    """One minute of one service's traffic.

    `requests` come to the API, `failing` is the share of them that fails, `refused` the share
    answered with 4xx, `seconds` the median of a request, `spread` how much slower the slow ones
    are, `throttled` how many invocations Lambda refuses. `event_age` is how long the oldest event
    waits, in seconds, `dropped` how many are given up, `waiting` how many lie in the failure queue.
    The table refuses `table_throttled` requests and fails `system_errors`.
    """

    requests: int
    failing: float = 0.001
    refused: float = 0.03
    seconds: float = 0.15
    spread: float = 0.5
    throttled: int = 0
    event_age: float = 0.2
    dropped: int = 0
    waiting: int = 0
    table_throttled: int = 0
    system_errors: int = 0


@dataclass(frozen=True)
class Situation:
    """A situation: `at` gives each minute, `shown` are the alarms that are drawn."""

    name: str
    what: str
    at: Callable[[int], Minute]
    shown: tuple[str, ...]
    alarming: bool
    """Whether somebody is to be told."""


def _quiet_night(minute: int) -> Minute:
    # Two requests a minute. Every quarter of an hour one fails twice and succeeds at the third try;
    # now and then one is refused; once DynamoDB fails, which its client tries again.
    failed = minute % 15 in (7, 8)
    return Minute(
        2,
        failing=0.5 if failed else 0.0,
        refused=0.5 if minute % 11 == 3 else 0.0,
        event_age=60 if failed else 0.2,
        system_errors=1 if minute == BEGIN + 5 else 0,
    )


def _traffic_spike(minute: int) -> Minute:
    if not BEGIN <= minute < END:
        return Minute(60)
    # Thirty times the traffic within a minute, a part of it from robots: some slower, throttled
    # while Lambda and DynamoDB scale, and events wait for two minutes.
    first = minute == BEGIN
    return Minute(
        1800,
        failing=0.015,
        refused=0.2,
        seconds=0.25,
        spread=0.7,
        throttled=30 if first else 0,
        event_age=150 if minute < BEGIN + 10 else 20,
        table_throttled=40 if first else 0,
    )


def _bad_deployment(minute: int) -> Minute:
    # One route of four raises, and every fourth event, until the deployment is taken back. Events
    # that are given up wait in the failure queue until they are sent again.
    failing = 0.25 if BEGIN <= minute < END else 0.001
    dropped = 15 if BEGIN + RETRIED <= minute < END + RETRIED else 0
    waiting = 15 * max(min(minute, END + RETRIED) - BEGIN - RETRIED, 0)
    return Minute(
        60,
        failing=failing,
        event_age=180 if BEGIN + 3 <= minute < END + RETRIED else 0.2,
        dropped=dropped,
        waiting=waiting if minute < END + 10 else 0,
    )


def _slow_dependency(minute: int) -> Minute:
    if not BEGIN <= minute < END:
        return Minute(60)
    # From 150 ms to the time-out of the function in ten minutes. Events queue up behind it, and
    # DynamoDB, which is what became slow, begins to fail.
    since = minute - BEGIN
    return Minute(
        60,
        seconds=min(24.0, 0.15 * 1.7**since),
        spread=0.2,
        event_age=60.0 * max(since - 5, 0),
        system_errors=3 if since >= 5 else 0,
    )


SITUATIONS = (
    Situation(
        "quiet night",
        "Two requests a minute; now and then one is refused, or fails twice and succeeds at the "
        "third try. Nobody should be woken.",
        _quiet_night,
        (
            "image_api/process/error-rate",
            "image_api/rest_api/server-error-rate",
            "crud_api/Items/system-errors",
        ),
        alarming=False,
    ),
    Situation(
        "traffic spike",
        "Thirty times the traffic for half an hour: a little slower, and throttled for a minute "
        "while Lambda and DynamoDB scale. Nothing is broken.",
        _traffic_spike,
        (
            "image_api/process/error-rate",
            "image_api/process/throttles",
            "image_api/process/event-age",
            "image_api/rest_api/latency",
        ),
        alarming=False,
    ),
    Situation(
        "bad deployment",
        "A quarter of the requests and events fail from one minute to the next. It has to be told "
        "at once.",
        _bad_deployment,
        (
            "image_api/process/error-rate",
            "image_api/rest_api/server-error-rate",
            "image_api/process/events-dropped",
            "image_api/FailureQueue/not-empty",
        ),
        alarming=True,
    ),
    Situation(
        "slow dependency",
        "Requests become slower until they reach the time-out. It has to be told before they do.",
        _slow_dependency,
        (
            "image_api/api_handler/duration",
            "image_api/rest_api/latency",
            "image_api/process/event-age",
            "crud_api/Items/system-errors",
        ),
        alarming=True,
    ),
)


def samples(services: tuple[Service, ...], situation: Situation) -> list[Sample]:
    """Return two hours of metrics: of the services' functions, APIs, tables and failure queues."""
    found: list[Sample] = []
    for service in services:
        generator = random.Random(service.name)  # noqa: S311 - the same every time
        for number in range(MINUTES):
            found += _of_service(service, number * 60.0 + 30, situation.at(number), generator)
    return found


def _of_service(
    service: Service, time: float, minute: Minute, generator: random.Random
) -> Iterator[Sample]:
    drawn = [
        min(28.0, minute.seconds * generator.lognormvariate(0, minute.spread)) * 1000
        for _ in range(min(minute.requests, _DRAWN))
    ]
    for function in service.functions:
        # Either one function has all routes or each has its own: here it is one.
        if function.asynchronous or function.key == _HANDLER:
            yield from _of_function(function, time, minute, drawn)
    if service.rest_api:
        yield from _of_rest_api(service.rest_api, time, minute, drawn)
    for table in service.tables:
        yield from _of_table(table, time, minute)
    for queue in service.queues:
        if queue.purpose == "dead-letters":
            where = (("QueueName", queue.name),)
            yield Sample(
                time, "AWS/SQS", "ApproximateNumberOfMessagesVisible", where, minute.waiting
            )


def _of_function(
    function: Function, time: float, minute: Minute, drawn: list[float]
) -> Iterator[Sample]:
    where = (("FunctionName", function.name),)
    busy = minute.requests / 60 * minute.seconds + 1
    if function.reserved_concurrency:
        busy = min(busy, function.reserved_concurrency)
    values: dict[str, float] = {
        "Invocations": minute.requests,
        "Errors": round(minute.requests * minute.failing),
        "Throttles": minute.throttled,
        "ConcurrentExecutions": busy,
    }
    if function.asynchronous:
        values |= {"AsyncEventAge": minute.event_age * 1000, "AsyncEventsDropped": minute.dropped}
    for metric, value in values.items():
        yield Sample(time, "AWS/Lambda", metric, where, value)
    for value in drawn:
        yield Sample(time, "AWS/Lambda", "Duration", where, value)


def _of_rest_api(api: RestApi, time: float, minute: Minute, drawn: list[float]) -> Iterator[Sample]:
    where = (("ApiName", api.name), ("Stage", api.stage))
    for metric, value in (
        ("Count", minute.requests),
        ("5XXError", round(minute.requests * minute.failing) + minute.throttled),
        ("4XXError", round(minute.requests * minute.refused)),
    ):
        yield Sample(time, "AWS/ApiGateway", metric, where, value)
    for milliseconds in drawn:
        yield Sample(time, "AWS/ApiGateway", "Latency", where, milliseconds + 20)


def _of_table(table: Table, time: float, minute: Minute) -> Iterator[Sample]:
    where = (("TableName", table.name),)
    yield Sample(time, "AWS/DynamoDB", "WriteThrottleEvents", where, minute.table_throttled)
    put = (("Operation", "PutItem"), *where)
    yield Sample(time, "AWS/DynamoDB", "SystemErrors", put, minute.system_errors)
