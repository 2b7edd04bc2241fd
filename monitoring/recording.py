"""Records what a stage's alarms read, to simulate it: `python -m monitoring.recording --stage S`.

GetMetricData gives the statistic of each period, not the samples, so a sum or a maximum comes back
exactly, and a percentile as that of each period. An embedded AWS whose alarm periods pass faster
is recorded with `--faster`: its time is stretched to CloudWatch's.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from monitoring import build, series, simulate
from monitoring.inventory import InventoryError
from monitoring.series import Sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from monitoring.cloudformation import Document

PERIOD = 60
_QUERIES = 500  # "GetMetricData", Amazon CloudWatch API reference


@dataclass(frozen=True)
class FastClock:
    """The clock of an embedded AWS whose periods pass `faster` times as fast as CloudWatch's.

    Stretched, the period that `start` is in begins with a minute, as CloudWatch's periods do: what
    fell into one period falls into one period again.
    """

    start: float
    faster: int

    @property
    def base(self) -> float:
        """When the period began that `start` is in."""
        length = PERIOD / self.faster
        return math.floor(self.start / length) * length

    def stretched(self, moment: float) -> float:
        """The moment as CloudWatch's clock would show it."""
        return self._minute() + (moment - self.base) * self.faster

    def shrunk(self, moment: float) -> float:
        """The moment that is stretched to this one."""
        return self.base + (moment - self._minute()) / self.faster

    def _minute(self) -> float:
        return math.floor(self.base / PERIOD) * PERIOD


def record(
    client: Any,
    document: Document,
    start: float,
    end: float,
    *,
    alarms: Iterable[str] = (),
    faster: int = 1,
) -> list[Sample]:
    """Return what the alarms read between two times, in seconds since 1970.

    Args:
        client: boto3's cloudwatch client of the monitoring account.
        document: the monitoring template with its values.
        start: the beginning; the period it falls into is recorded as a whole.
        end: the end.
        alarms: the names of the alarms; all of them where none is named.
        faster: how many times faster than CloudWatch's the periods of the alarms pass.

    """
    clock = FastClock(start, faster)
    wanted = set(alarms)
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for logical_id, kind, _ in document.resources():
        if kind != "AWS::CloudWatch::Alarm":
            continue
        properties = document.properties(logical_id)
        if wanted and properties["AlarmName"] not in wanted:
            continue
        for query in properties.get("Metrics", ()):
            if "MetricStat" in query:
                found.setdefault(_key(query), query)
    queries = list(found.values())
    samples = []
    # One second is the finest there is; on AWS these metrics have a point a minute.
    step = PERIOD if faster == 1 else 1
    for first in range(0, len(queries), _QUERIES):
        chunk = queries[first : first + _QUERIES]
        pages = client.get_paginator("get_metric_data").paginate(
            MetricDataQueries=[
                {
                    "Id": f"m{number}",
                    "MetricStat": {**query["MetricStat"], "Period": step},
                    **({"AccountId": query["AccountId"]} if "AccountId" in query else {}),
                }
                for number, query in enumerate(chunk)
            ],
            StartTime=datetime.fromtimestamp(clock.base, UTC),
            EndTime=datetime.fromtimestamp(end, UTC),
        )
        for page in pages:
            for result in page["MetricDataResults"]:
                metric = chunk[int(result["Id"][1:])]["MetricStat"]["Metric"]
                for moment, value in zip(result["Timestamps"], result["Values"], strict=True):
                    at = clock.stretched(moment.timestamp())
                    samples.append(_sample(at, metric, value))
    return sorted(samples, key=lambda sample: sample.time)


def _key(query: dict[str, Any]) -> tuple[Any, ...]:
    stat = query["MetricStat"]
    metric = stat["Metric"]
    dimensions = tuple(sorted((one["Name"], one["Value"]) for one in metric["Dimensions"]))
    return metric["Namespace"], metric["MetricName"], dimensions, stat["Stat"]


def _sample(at: float, metric: dict[str, Any], value: float) -> Sample:
    pairs = ((one["Name"], one["Value"]) for one in metric["Dimensions"])
    return Sample(at, metric["Namespace"], metric["MetricName"], tuple(sorted(pairs)), value)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the recording as CSV; return the process's exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m monitoring.recording",
        description="Print what a stage's alarms read of late, as CSV for monitoring.simulate. "
        "Credentials are those of the monitoring account.",
    )
    parser.add_argument("--stage", required=True)
    parser.add_argument("--minutes", type=float, default=60, help="how far back (default: 60)")
    parser.add_argument("--workload", required=True, metavar="ACCOUNT", help="its account id")
    parser.add_argument(
        "--faster", type=int, default=1, help="how many times as fast its clock goes (default 1)"
    )
    parser.add_argument("--profile", help="the AWS profile of the monitoring account")
    options = parser.parse_args(arguments)
    now = time.time()
    try:
        body = build.templates(options.stage)["monitoring"].to_dict()
        document = simulate.document(body, options.stage, {"WorkloadAccountId": options.workload})
        client = boto3.Session(profile_name=options.profile).client("cloudwatch")
        start = now - options.minutes * 60
        samples = record(client, document, start, now, faster=options.faster)
    except (InventoryError, ValueError, BotoCoreError, ClientError) as error:
        print(f"python -m monitoring.recording: {error}", file=sys.stderr)
        return 1
    series.write(sys.stdout, samples)
    return 0


if __name__ == "__main__":
    sys.exit(main())
