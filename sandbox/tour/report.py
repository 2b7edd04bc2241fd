"""How the tour speaks: each step with what it did, the evidence, and ✔ or ✘."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, TypeVar

from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

# Nothing is silent for longer than this.
PATIENCE = 2.0


class StepFailure(Exception):
    """A step did not show what it promises; the message says what was seen instead."""


class Step:
    """One step in progress."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def evidence(self, name: str, value: object) -> None:
        """Print one thing that was seen."""
        self._console.print(f"    {name:<14} {value}", markup=False, highlight=False)

    def check(self, holds: bool, otherwise: str) -> None:
        """End the step as failed, saying `otherwise`, where something does not hold."""
        if not holds:
            raise StepFailure(otherwise)

    def wait(self, what: str, look: Callable[[], T | None], timeout: float) -> T:
        """Call `look` until it gives something, and return that.

        Raises StepFailure after `timeout` seconds.
        """
        started = time.monotonic()
        said = started
        with self._console.status(f"    waiting for {what}"):
            while True:
                found = look()
                now = time.monotonic()
                if found is not None:
                    return found
                if now - started > timeout:
                    raise StepFailure(f"waited {timeout:.0f} s for {what} in vain")
                if not self._console.is_terminal and now - said > PATIENCE:
                    said = now
                    self._console.print(
                        f"    … {now - started:.0f} s, waiting for {what}", highlight=False
                    )
                time.sleep(0.1)


class Report:
    """Collects the outcome of every step."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(soft_wrap=True)
        self.outcomes: list[tuple[str, bool]] = []

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Run the body as one step. A failure ends the step, not the tour."""
        self._console.print(f"\n[bold]{title}[/bold]")
        started = time.monotonic()
        reason = None
        try:
            yield Step(self._console)
        except StepFailure as failure:
            reason = str(failure)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
        seconds = f"{time.monotonic() - started:.1f} s"
        self.outcomes.append((title, reason is None))
        if reason is None:
            self._console.print(f"  [green]✔[/green] {seconds}", highlight=False)
        else:
            self._console.print("  [red]✘[/red] ", end="")
            self._console.print(f"{reason} ({seconds})", markup=False, highlight=False)

    def table(self) -> bool:
        """Print every step with its mark; whether all passed."""
        self._console.print("\n[bold]The tour[/bold]")
        for title, passed in self.outcomes:
            self._console.print(
                f"  {'[green]✔[/green]' if passed else '[red]✘[/red]'} {title}", highlight=False
            )
        return all(passed for _, passed in self.outcomes)
