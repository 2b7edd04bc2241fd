"""Metric data to simulate with: samples, read from CSV and written to it.

    time,namespace,metric,dimensions,value
    2026-11-23T18:00:05Z,AWS/Lambda,Errors,FunctionName=image_api-prod-process,1
    65,AWS/ApiGateway,Latency,ApiName=image_api;Stage=api,412.5

`time` is in ISO 8601, or in seconds. Each row is one sample; what an alarm sees of them is its own
statistic over its own period.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable

COLUMNS = ("time", "namespace", "metric", "dimensions", "value")


class SeriesError(ValueError):
    """The data cannot be used. The message is one line and names the line of the file."""


@dataclass(frozen=True)
class Sample:
    """One value of one metric; `time` in seconds since 1970, or since any other beginning."""

    time: float
    namespace: str
    metric: str
    dimensions: tuple[tuple[str, str], ...]
    value: float


def read(file: TextIO) -> list[Sample]:
    """Read samples, in the order of their time. Raises SeriesError."""
    reader = csv.DictReader(file)
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise SeriesError(f"the first line must be {','.join(COLUMNS)}")
    samples = []
    for row in reader:
        try:
            samples.append(
                Sample(
                    _seconds(row["time"]),
                    row["namespace"],
                    row["metric"],
                    _dimensions(row["dimensions"]),
                    float(row["value"]),
                )
            )
        except (TypeError, ValueError) as error:
            raise SeriesError(f"line {reader.line_num}: {error}") from None
    if not samples:
        raise SeriesError("there is no data")
    return sorted(samples, key=lambda sample: sample.time)


def write(file: TextIO, samples: Iterable[Sample]) -> None:
    """Write samples."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for sample in samples:
        dimensions = ";".join(f"{name}={value}" for name, value in sample.dimensions)
        writer.writerow(
            [
                f"{sample.time:g}" if sample.time < 1e6 else f"{sample.time:.3f}",
                sample.namespace,
                sample.metric,
                dimensions,
                f"{sample.value:g}",
            ]
        )


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _dimensions(text: str) -> tuple[tuple[str, str], ...]:
    pairs = []
    for part in filter(None, text.split(";")):
        name, equals, value = part.partition("=")
        if not equals:
            raise ValueError(f"{part!r} is no dimension: write NAME=VALUE")
        pairs.append((name, value))
    return tuple(sorted(pairs))
