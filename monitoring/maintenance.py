"""Opens a maintenance window: `python -m monitoring.maintenance SERVICE --stage STAGE --minutes N`.

A window is data of a metric, one point a minute, put in advance: it ends by itself, and cannot be
forgotten open. CloudWatch takes points up to two hours in the future (API reference,
PutMetricData), so that is the longest.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from monitoring import composites, inventory

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST = 120


def points(service: str, stage: str, start: datetime, minutes: int) -> list[dict[str, Any]]:
    """Return the data of a window of so many minutes: 1 for each, and 0 for the one after.

    Without the 0 CloudWatch would go by older data for two minutes more.
    """
    dimensions = [{"Name": "Service", "Value": service}, {"Name": "Stage", "Value": stage}]
    return [
        {
            "MetricName": composites.METRIC,
            "Dimensions": dimensions,
            "Timestamp": start + timedelta(minutes=number),
            "Value": float(number < minutes),
        }
        for number in range(minutes + 1)
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Open the window; return the process's exit code."""
    known = sorted(inventory.owners())
    parser = argparse.ArgumentParser(
        prog="python -m monitoring.maintenance",
        description="Open a maintenance window: nobody is told of the service's alarms until it "
        "closes by itself. Credentials are those of the monitoring account.",
    )
    parser.add_argument("service", choices=known, metavar="SERVICE", help=", ".join(known))
    parser.add_argument("--stage", required=True)
    parser.add_argument("--minutes", type=int, default=30, help=f"1 to {LONGEST} (default: 30)")
    parser.add_argument("--profile", help="the AWS profile of the monitoring account")
    options = parser.parse_args(arguments)
    if not 1 <= options.minutes <= LONGEST:
        parser.error(f"--minutes must be from 1 to {LONGEST}, not {options.minutes}")
    start = datetime.now(UTC)
    try:
        client = boto3.Session(profile_name=options.profile).client("cloudwatch")
        client.put_metric_data(
            Namespace=composites.NAMESPACE,
            MetricData=points(options.service, options.stage, start, options.minutes),
        )
    except (BotoCoreError, ClientError) as error:
        print(f"python -m monitoring.maintenance: {error}", file=sys.stderr)
        return 1
    end = start + timedelta(minutes=options.minutes)
    print(f"{options.service} at {options.stage} is in maintenance until {end:%H:%M} UTC")
    return 0


if __name__ == "__main__":
    sys.exit(main())
