"""How long a request may take, and when a failed call to AWS is made again.

The pauses are "exponential backoff and full jitter" (AWS Architecture Blog): each a random part of
a bound that doubles, so that callers who failed together do not come back together.
"""

import random
import time
from dataclasses import dataclass
from typing import Any, Protocol

import botocore.exceptions

ATTEMPTS = 6
FIRST_PAUSE = 0.05
"""Seconds; six attempts pause 1.55 seconds at most."""

ATTEMPT_SECONDS = 4.0
"""What one attempt may take: `clients` sets 1 second to connect and 3 to answer."""

REQUEST_SECONDS = 26.0
"""What a request may take where its context does not say: API Gateway waits 29 seconds."""

ANSWER_SECONDS = 1.0
"""Kept back for the answer after the last call."""

# "Error handling with DynamoDB": these refused the request before they did anything.
_REFUSED = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingException",
        "TransactionConflictException",
    }
)
_REASONS = frozenset(
    {"ProvisionedThroughputExceeded", "ThrottlingError", "TransactionConflict", "None"}
)


FAILURES = (
    botocore.exceptions.ClientError,
    botocore.exceptions.ConnectionError,
    botocore.exceptions.HTTPClientError,
)
"""What a call to AWS raises where the answer is an error, or there is none."""


class UnavailableError(Exception):
    """AWS refused, failed or could not be reached, attempts included.

    `unsure` says that an attempt may have been carried out all the same, `conflicts` which actions
    of a transaction the last attempt found in another transaction.
    """

    def __init__(
        self, detail: str, *, unsure: bool, conflicts: frozenset[int] = frozenset()
    ) -> None:
        super().__init__(detail)
        self.unsure = unsure
        self.conflicts = conflicts


class Context(Protocol):
    """What is used of the context of a Lambda invocation."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the function."""


@dataclass(frozen=True)
class Deadline:
    """When the answer has to be ready, on the clock of `time.monotonic`."""

    at: float

    @classmethod
    def of(cls, context: Context | None) -> "Deadline":
        """Return the deadline of a request: the function's, or the gateway's, which is sooner."""
        seconds = REQUEST_SECONDS
        if context is not None:
            left = context.get_remaining_time_in_millis() / 1_000 - ANSWER_SECONDS
            seconds = min(seconds, left)
        return cls(time.monotonic() + seconds)

    def allows(self, seconds: float) -> bool:
        """Whether that much time is left."""
        return time.monotonic() + seconds < self.at


def is_temporary(error: Exception) -> bool:
    """Whether the same call may succeed when it is made again."""
    if not isinstance(error, botocore.exceptions.ClientError):
        return isinstance(
            error,
            botocore.exceptions.ConnectionError | botocore.exceptions.HTTPClientError,
        )
    code = error.response["Error"]["Code"]
    if code == "TransactionCanceledException":
        reasons = {reason.get("Code") for reason in error.response.get("CancellationReasons", ())}
        return bool(reasons) and reasons <= _REASONS
    # The transaction of the same token is still being carried out.
    in_progress = code == "TransactionInProgressException"
    return in_progress or code in _REFUSED or _status(error) >= 500


def is_unsure(error: Exception) -> bool:
    """Whether a call that failed temporarily may have been carried out."""
    if not isinstance(error, botocore.exceptions.ClientError):
        return True
    return _status(error) >= 500


def conflicts_of(error: Exception) -> frozenset[int]:
    """Return the places of the actions that another transaction was busy with."""
    if not isinstance(error, botocore.exceptions.ClientError):
        return frozenset()
    reasons = error.response.get("CancellationReasons", ())
    return frozenset(
        place for place, reason in enumerate(reasons) if reason.get("Code") == "TransactionConflict"
    )


def pause(attempt: int, deadline: Deadline) -> bool:
    """Wait before another attempt, the first being 0; False: there is no other, or no time."""
    seconds = random.uniform(0, FIRST_PAUSE * 2**attempt)  # noqa: S311 - no secret
    if attempt + 1 >= ATTEMPTS or not deadline.allows(seconds + ATTEMPT_SECONDS):
        return False
    time.sleep(seconds)
    return True


def call(
    client: Any, operation: str, deadline: Deadline, *, repeatable: bool = True, **parameters: Any
) -> tuple[Any, bool]:
    """Call AWS until it answers or refuses for good.

    Returns the answer and whether an attempt before it may have been carried out. Raises
    UnavailableError, or the ClientError that another attempt would not change; a ClientError
    raised after such an attempt has the attribute `unsure` set to True. A call that is not
    `repeatable` is not made again after an attempt that may have been carried out.
    """
    unsure = False
    attempt = 0
    while True:
        try:
            return getattr(client, operation)(**parameters), unsure
        except FAILURES as error:
            if not is_temporary(error):
                error.unsure = unsure
                raise
            unsure = unsure or is_unsure(error)
            if (unsure and not repeatable) or not pause(attempt, deadline):
                raise UnavailableError(
                    f"{operation}: {error}", unsure=unsure, conflicts=conflicts_of(error)
                ) from error
            attempt += 1


def _status(error: Any) -> int:
    status: int = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status
