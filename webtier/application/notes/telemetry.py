"""One line of JSON an event, on standard output: journald keeps it, and what ships logs reads it.

A line has what an operator searches by. It never has a form's content, a query or a password.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

LOGGER = logging.getLogger("notes")


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object; `constant` is part of every line."""

    def __init__(self, constant: dict[str, str]) -> None:
        super().__init__()
        self._constant = constant

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **self._constant,
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def start(**constant: str) -> None:
    """Send every logger's lines, from INFO on, to standard output."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines(constant))
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    # It tells where it found credentials, each time.
    logging.getLogger("botocore").setLevel(logging.WARNING)


def event(message: str, level: int = logging.INFO, **fields: object) -> None:
    """Log one event with its fields."""
    LOGGER.log(level, message, extra={"fields": fields})
