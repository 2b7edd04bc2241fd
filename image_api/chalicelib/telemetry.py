"""Logs and metrics: lines of JSON, one an event, as CloudWatch Logs reads them.

Metrics are in the embedded metric format, which CloudWatch turns into metrics without a request
from here (Amazon CloudWatch User Guide, "Specification: Embedded metric format").
"""

from __future__ import annotations

import json
import logging
import os
import time
from datetime import UTC, datetime
from typing import Any

NAMESPACE = "ImageApi"

COUNT, BYTES, MILLISECONDS = "Count", "Bytes", "Milliseconds"

# The attributes of every log record; what else a record has was given to it by `extra`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "aws_request_id"}


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON.

    Lambda's log handler puts the id of the invocation on each record (`aws_request_id`).
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        members: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(
                timespec="milliseconds"
            ),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": getattr(record, "aws_request_id", None),
        }
        members |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            members["exception"] = self.formatException(record.exc_info)
        return json.dumps(members, default=str)


def configure_logging() -> None:
    """Have everything that is logged in Lambda be JSON, from INFO on.

    Elsewhere lines are for people, and tests: they stay plain.
    """
    logging.getLogger("image_api").setLevel(logging.INFO)
    if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
        for handler in logging.getLogger().handlers:
            handler.setFormatter(JsonFormatter())


class Metrics:
    """The metrics of one piece of work, sent in one line."""

    def __init__(self) -> None:
        self._values: dict[str, tuple[float, str]] = {}

    def add(self, name: str, value: float, unit: str) -> None:
        """Set a metric; `unit` is one of CloudWatch's."""
        self._values[name] = (round(value, 3), unit)

    def emit(self, *, image_id: str, problem: str | None = None) -> None:
        """Print the metrics, for the function and, with a `problem` type, for that as well.

        The image's id is no dimension: it can be searched for, and costs no metric of its own.
        """
        print(json.dumps(self.document(image_id, problem, time.time_ns() // 1_000_000)))

    def document(self, image_id: str, problem: str | None, timestamp: int) -> dict[str, Any]:
        """Return the line's JSON object; `timestamp` is in milliseconds since 1970."""
        dimensions = [["FunctionName"], ["FunctionName", "Problem"]]
        return {
            "_aws": {
                "Timestamp": timestamp,
                "CloudWatchMetrics": [
                    {
                        "Namespace": NAMESPACE,
                        "Dimensions": dimensions if problem else dimensions[:1],
                        "Metrics": [
                            {"Name": name, "Unit": unit} for name, (_, unit) in self._values.items()
                        ],
                    }
                ],
            },
            "FunctionName": os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "image_api"),
            **({"Problem": problem} if problem else {}),
            "image_id": image_id,
            **{name: value for name, (value, _) in self._values.items()},
        }
