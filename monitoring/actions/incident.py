"""`incident`: a note of what happened to a service, opened and closed by its critical alarm.

It changes nothing anywhere but in the actions' own table. Every record of an action on the service
is added to it while it is open.
"""

from __future__ import annotations

from .outcome import Outcome


class Incident:
    """The note of one service. `reason` is the alarm's, `runbook` the address of its page."""

    def __init__(self, service: str, reason: str, runbook: str) -> None:
        self._service = service
        self._reason = reason
        self._runbook = runbook

    def prepare(self) -> dict[str, str]:
        """Return what the note begins with."""
        return {"reason": self._reason, "runbook": self._runbook}

    def perform(self, remembered: dict[str, str]) -> Outcome:
        """Open it."""
        return Outcome(f"{self._service}: incident opened: {remembered['reason']}")

    def describe(self) -> str:
        """Return what a dry run says it would have done."""
        return f"{self._service}: incident opened: {self._reason}"

    def review(self, remembered: dict[str, str], state: str) -> Outcome:
        """Say once that it is still open; a note helps nobody by being repeated."""
        if state == "ALARM":
            return Outcome(f"{self._service}: the incident is still open: {remembered['runbook']}")
        return Outcome(f"{self._service}: the incident is being closed")

    def finish(self, _remembered: dict[str, str]) -> str:
        """Close it."""
        return f"{self._service}: incident closed"
