"""Stack events as plain values: what happened, and why it failed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

STACK_TYPE = "AWS::CloudFormation::Stack"

# "Stack status codes", AWS CloudFormation User Guide: where an operation that rolls back can end.
_FINAL = frozenset(
    {
        "CREATE_COMPLETE",
        "DELETE_COMPLETE",
        "DELETE_FAILED",
        "ROLLBACK_COMPLETE",
        "ROLLBACK_FAILED",
        "UPDATE_COMPLETE",
        "UPDATE_ROLLBACK_COMPLETE",
        "UPDATE_ROLLBACK_FAILED",
    }
)
# CloudFormation gives this reason to a resource it stops because another one failed.
_CANCELLED = ("resource creation cancelled", "resource update cancelled")


@dataclass(frozen=True)
class Event:
    """One entry of DescribeStackEvents."""

    event_id: str
    time: datetime
    logical_id: str
    physical_id: str
    resource_type: str
    status: str
    reason: str

    @classmethod
    def from_response(cls, event: Mapping[str, Any]) -> "Event":
        """Read one element of StackEvents as boto3 returns it."""
        return cls(
            event_id=event["EventId"],
            time=event["Timestamp"],
            logical_id=event["LogicalResourceId"],
            physical_id=event.get("PhysicalResourceId", ""),
            resource_type=event["ResourceType"],
            status=event["ResourceStatus"],
            reason=" ".join(event.get("ResourceStatusReason", "").split()),
        )

    def __str__(self) -> str:
        text = f"{self.time:%H:%M:%S}  {self.status}  {self.resource_type}  {self.logical_id}"
        return f"{text}: {self.reason}" if self.reason else text

    def closes(self, stack_id: str) -> bool:
        """Whether the event ends an operation on the stack.

        A stack that fails rolls back, so CREATE_FAILED and UPDATE_FAILED do not end it; nor does
        UPDATE_COMPLETE_CLEANUP_IN_PROGRESS, as the clean-up is part of the update.
        """
        return self.physical_id == stack_id and self.status in _FINAL


@dataclass(frozen=True)
class Failure:
    """Why an operation failed: what failed, and the reason CloudFormation gives."""

    logical_id: str
    resource_type: str
    reason: str

    def __str__(self) -> str:
        return f"{self.logical_id} ({self.resource_type}): {self.reason}"


def failures(events: Sequence[Event]) -> tuple[Failure, ...]:
    """Return why an operation failed, the cause first; `events` in the order they happened.

    The cause is the earliest failed resource that was not merely cancelled. Where no resource
    failed, the reasons stand in the stack's own events.
    """
    failed = [
        event
        for event in events
        if event.status.endswith("_FAILED")
        and event.resource_type != STACK_TYPE
        and not event.reason.lower().startswith(_CANCELLED)
    ]
    causes = failed or [
        event
        for event in events
        if event.resource_type == STACK_TYPE
        and (event.status.endswith("_FAILED") or "ROLLBACK" in event.status)
        and event.reason
    ]
    return tuple(
        Failure(cause.logical_id, cause.resource_type, cause.reason or cause.status)
        for cause in causes
    )


def validation_failures(events: Sequence[Mapping[str, Any]]) -> tuple[Failure, ...]:
    """Return what the validation before an operation refused, of the newest operation.

    `events` are OperationEvents of DescribeEvents as boto3 returns them. A refused operation has
    no resource events: the stack's own say only how many errors there were.
    """
    refused = [
        event
        for event in events
        if event.get("EventType") == "VALIDATION_ERROR"
        and event.get("ValidationFailureMode") == "FAIL"
    ]
    if not refused:
        return ()
    newest = max(refused, key=lambda event: event["Timestamp"])["OperationId"]
    return tuple(
        Failure(
            event["LogicalResourceId"],
            event["ResourceType"],
            f"{event['ValidationStatusReason']} ({event['ValidationPath']})",
        )
        for event in refused
        if event["OperationId"] == newest
    )


def retained(events: Sequence[Event]) -> tuple[Event, ...]:
    """Return the deletions that were skipped, because the resource's DeletionPolicy is Retain."""
    return tuple(event for event in events if event.status == "DELETE_SKIPPED")
