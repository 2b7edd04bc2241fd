"""`cap`: while an asynchronous function fails, it has little concurrency left.

Lambda keeps the events it throttles, and tries them again for up to six hours: nothing is lost,
while the function neither hammers what it depends on nor uses the account's concurrency up. An API
is never capped: that would fail the requests that still work.
"""

from __future__ import annotations

from typing import Any

from .outcome import Outcome

UNRESERVED = "unreserved"


class Cap:
    """The action on one function; `client` is boto3's lambda client of the workload account."""

    def __init__(self, client: Any, function: str, cap: int) -> None:
        self._client = client
        self._function = function
        self._cap = cap

    @property
    def _name(self) -> str:
        return self._function.rsplit(":", 1)[-1]

    def prepare(self) -> dict[str, str] | None:
        """Return what has to be remembered to give the concurrency back; None: nothing to cap."""
        reserved = self._reserved()
        if reserved is not None and reserved <= self._cap:
            return None
        return {"before": UNRESERVED if reserved is None else str(reserved)}

    def perform(self, _remembered: dict[str, str]) -> Outcome:
        """Cap the function. Doing so again changes nothing."""
        self._client.put_function_concurrency(
            FunctionName=self._function, ReservedConcurrentExecutions=self._cap
        )
        return Outcome(f"{self._name}: concurrency capped at {self._cap}")

    def describe(self) -> str:
        """Return what a dry run says it would have done."""
        return f"{self._name}: concurrency capped at {self._cap}"

    def review(self, _remembered: dict[str, str], state: str) -> Outcome:
        """Look again: a function that still fails although it is capped is not helped by it."""
        if state == "ALARM":
            return Outcome(f"{self._name}: the cap did not help", done=True)
        return Outcome(f"{self._name}: the cap stays until the alarm clears")

    def finish(self, remembered: dict[str, str]) -> str:
        """Give the concurrency back, unless somebody set another value since: theirs stays."""
        if self._reserved() != self._cap:
            return f"{self._name}: concurrency left as someone set it"
        before = remembered["before"]
        if before == UNRESERVED:
            self._client.delete_function_concurrency(FunctionName=self._function)
        else:
            self._client.put_function_concurrency(
                FunctionName=self._function, ReservedConcurrentExecutions=int(before)
            )
        return f"{self._name}: concurrency given back"

    def _reserved(self) -> int | None:
        answer = self._client.get_function_concurrency(FunctionName=self._function)
        reserved: int | None = answer.get("ReservedConcurrentExecutions")
        return reserved
