"""What a deployment prints: plain lines, the same on a terminal and in a pipe."""

import os
import sys
from typing import TextIO

_RED, _YELLOW, _BOLD, _RESET = "\033[31m", "\033[33m", "\033[1m", "\033[0m"


def heading(text: str) -> None:
    """Print the start of a step."""
    _write(sys.stdout, text, _BOLD)


def line(text: str) -> None:
    """Print one line of a step."""
    _write(sys.stdout, f"  {text}")


def warning(text: str) -> None:
    """Print a line of a step that asks for attention."""
    _write(sys.stdout, f"  {text}", _YELLOW)


def alert(text: str) -> None:
    """Print a line of a step that nobody should miss."""
    _write(sys.stdout, f"  {text}", _RED)


def step(text: str) -> None:
    """Print to standard error what goes on, where standard output is for a document."""
    _write(sys.stderr, text)


def error(text: str, details: tuple[str, ...] = ()) -> None:
    """Print to standard error what went wrong, then the details, one line each."""
    # Both streams often end in the same log: without this the error can appear before its cause.
    sys.stdout.flush()
    _write(sys.stderr, f"error: {text}", _RED)
    for detail in details:
        _write(sys.stderr, f"  {detail}")


def _write(stream: TextIO, text: str, colour: str = "") -> None:
    # NO_COLOR: https://no-color.org
    if colour and stream.isatty() and not os.environ.get("NO_COLOR"):
        text = f"{colour}{text}{_RESET}"
    print(text, file=stream, flush=True)
