from datetime import UTC, datetime
from itertools import count

import pytest

from deploy.events import STACK_TYPE, Event, failures, retained, validation_failures

STACK_ID = "arn:aws:cloudformation:us-east-1:111111111111:stack/shop-dev/1"
_ids = count()


def event(logical_id: str, status: str, reason: str = "", resource_type: str = "") -> Event:
    is_stack = logical_id == "shop-dev"
    return Event(
        event_id=str(next(_ids)),
        time=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        logical_id=logical_id,
        physical_id=STACK_ID if is_stack else logical_id.lower(),
        resource_type=STACK_TYPE if is_stack else resource_type or "AWS::SQS::Queue",
        status=status,
        reason=reason,
    )


def test_the_cause_is_the_earliest_failure_that_is_not_a_cancellation() -> None:
    events = [
        event("shop-dev", "CREATE_IN_PROGRESS"),
        event("Queue", "CREATE_FAILED", "Resource creation cancelled"),
        event("Role", "CREATE_FAILED", "no such policy", "AWS::IAM::Role"),
        event("Topic", "CREATE_FAILED", "bad name", "AWS::SNS::Topic"),
        event("shop-dev", "ROLLBACK_IN_PROGRESS", "The following resource(s) failed: [Role]"),
        event("shop-dev", "ROLLBACK_COMPLETE"),
    ]

    assert [str(failure) for failure in failures(events)] == [
        "Role (AWS::IAM::Role): no such policy",
        "Topic (AWS::SNS::Topic): bad name",
    ]


def test_an_update_cancelled_because_of_another_failure_is_no_cause() -> None:
    events = [
        event("Queue", "UPDATE_FAILED", "Resource update cancelled"),
        event("Role", "UPDATE_FAILED", "no such policy", "AWS::IAM::Role"),
    ]

    assert [failure.logical_id for failure in failures(events)] == ["Role"]


def test_where_no_resource_failed_the_stack_itself_tells_why() -> None:
    events = [
        event("shop-dev", "UPDATE_ROLLBACK_IN_PROGRESS", "Export shop cannot be deleted"),
        event("shop-dev", "UPDATE_ROLLBACK_COMPLETE"),
    ]

    assert [failure.reason for failure in failures(events)] == ["Export shop cannot be deleted"]


def test_a_failure_without_a_reason_is_told_by_its_status() -> None:
    assert failures([event("Queue", "DELETE_FAILED")])[0].reason == "DELETE_FAILED"


@pytest.mark.parametrize(
    ("status", "closes"),
    [
        ("CREATE_COMPLETE", True),
        ("ROLLBACK_COMPLETE", True),
        ("UPDATE_ROLLBACK_FAILED", True),
        ("DELETE_COMPLETE", True),
        # A stack that fails goes on to roll back.
        ("CREATE_FAILED", False),
        ("UPDATE_FAILED", False),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", False),
        ("ROLLBACK_IN_PROGRESS", False),
    ],
)
def test_only_a_final_status_of_the_stack_closes_an_operation(status: str, closes: bool) -> None:
    assert event("shop-dev", status).closes(STACK_ID) is closes


def test_a_nested_stack_does_not_close_the_operation_of_its_parent() -> None:
    nested = event("Inner", "CREATE_COMPLETE", resource_type=STACK_TYPE)

    assert not nested.closes(STACK_ID)


def test_only_skipped_deletions_are_retained() -> None:
    skipped = event("Table", "DELETE_SKIPPED")

    assert retained([event("Queue", "DELETE_COMPLETE"), skipped]) == (skipped,)


def test_a_line_has_time_status_type_name_and_reason() -> None:
    failed = event("Role", "CREATE_FAILED", "no such policy", "AWS::IAM::Role")

    assert str(failed) == "03:04:05  CREATE_FAILED  AWS::IAM::Role  Role: no such policy"


def test_a_reason_over_several_lines_becomes_one() -> None:
    read = Event.from_response(
        {
            "EventId": "1",
            "Timestamp": datetime(2026, 1, 2, tzinfo=UTC),
            "LogicalResourceId": "Role",
            "ResourceType": "AWS::IAM::Role",
            "ResourceStatus": "CREATE_FAILED",
            "ResourceStatusReason": "no such\n  policy",
        }
    )

    assert read.reason == "no such policy"


def test_validation_failures_are_those_of_the_newest_operation() -> None:
    def refused(operation: str, minute: int, mode: str = "FAIL") -> dict[str, object]:
        return {
            "EventType": "VALIDATION_ERROR",
            "OperationId": operation,
            "Timestamp": datetime(2026, 1, 2, 3, minute, tzinfo=UTC),
            "ValidationFailureMode": mode,
            "LogicalResourceId": "Bucket",
            "ResourceType": "AWS::S3::Bucket",
            "ValidationStatusReason": f"{operation} exists",
            "ValidationPath": "/Resources/Bucket",
        }

    events = [
        refused("old", 1),
        refused("new", 2),
        refused("new", 2, mode="WARN"),
        {"EventType": "PROVISIONING_ERROR", "OperationId": "new"},
    ]

    assert [str(failure) for failure in validation_failures(events)] == [
        "Bucket (AWS::S3::Bucket): new exists (/Resources/Bucket)"
    ]
    assert validation_failures([]) == ()
