"""One CloudFormation stack: change sets, the events of an operation, outputs.

Source: AWS CloudFormation User Guide, "Update CloudFormation stacks using change sets" and "Stack
status codes" (https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/).
"""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from botocore.exceptions import ClientError

from deploy.changes import Change, additions
from deploy.errors import DeployError, DeployInterruptedError, StackError
from deploy.events import STACK_TYPE, Event, Failure, failures, validation_failures
from deploy.template import StackTemplate

_UPDATABLE = frozenset(
    {
        "CREATE_COMPLETE",
        "IMPORT_COMPLETE",
        "IMPORT_ROLLBACK_COMPLETE",
        "UPDATE_COMPLETE",
        "UPDATE_ROLLBACK_COMPLETE",
    }
)
_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")
# Change sets of a deployment; a plan's are called otherwise, as it may be made at the same time.
_PREFIX = "deploy-"
# Seconds between two looks. A sandbox answers at once, a database takes minutes: start short, grow.
_FIRST_WAIT, _LONGEST_WAIT, _GROWTH = 0.1, 5.0, 1.5


def _source(template: StackTemplate) -> dict[str, str]:
    if template.fits_a_request:
        return {"TemplateBody": template.body}
    return {"TemplateURL": template.url}


def _service_role() -> dict[str, str]:
    """The role CloudFormation is to act as; without the variable it acts as the caller."""
    role = os.environ.get("CLOUDFORMATION_ROLE_ARN")
    return {"RoleARN": role} if role else {}


def _is_busy(status: str) -> bool:
    return status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS"


@dataclass(frozen=True)
class ChangeSet:
    """A change set that is ready. `changes` is empty where the stack is already as it should be."""

    change_set_id: str
    stack_id: str
    changes: tuple[Change, ...]


class Stack:
    """The stack `name`, in the account and region of `client` (boto3's cloudformation client)."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self.name = name

    def status(self) -> str | None:
        """Return the stack's status, None where no such stack exists."""
        description = self._describe(self.name)
        return description["StackStatus"] if description else None

    def outputs(self) -> dict[str, str] | None:
        """Return the stack's outputs by key, None where no such stack is complete."""
        description = self._describe(self.name)
        if description is None or description["StackStatus"] not in _UPDATABLE:
            return None
        return {
            output["OutputKey"]: output["OutputValue"] for output in description.get("Outputs", ())
        }

    def is_as(self, template: StackTemplate) -> bool:
        """Whether the stack is complete and has this very template."""
        return self.status() in _UPDATABLE and self.document() == template.document

    def document(self) -> Mapping[str, Any]:
        """Return the stack's template as it was sent, an empty one where there is no stack."""
        if self.status() in {None, "REVIEW_IN_PROGRESS"}:
            return {}
        response = self._client.get_template(StackName=self.name, TemplateStage="Original")
        document: Mapping[str, Any] = response["TemplateBody"]
        return document

    def resources(self) -> dict[str, tuple[str, str]]:
        """Return type and physical ID of each resource, by logical ID; none without a stack."""
        if self.status() is None:
            return {}
        pages = self._client.get_paginator("list_stack_resources").paginate(StackName=self.name)
        return {
            resource["LogicalResourceId"]: (
                resource["ResourceType"],
                resource.get("PhysicalResourceId", ""),
            )
            for page in pages
            for resource in page["StackResourceSummaries"]
        }

    def settle(self, on_event: Callable[[Event], None]) -> None:
        """Wait until no operation runs on the stack, call `on_event` for each event meanwhile.

        Raises DeployInterruptedError: Ctrl-C; CloudFormation goes on by itself.
        """
        description = self._describe(self.name)
        if description is not None and _is_busy(description["StackStatus"]):
            stack_id = description["StackId"]
            self._follow(stack_id, self._event_ids(stack_id), on_event)

    def discard_left(self) -> None:
        """Delete the change sets that deployments left which were cut off."""
        if self.status() is None:
            return
        pages = self._client.get_paginator("list_change_sets").paginate(StackName=self.name)
        for change_set in [each for page in pages for each in page["Summaries"]]:
            left = change_set["ExecutionStatus"] in {"AVAILABLE", "UNAVAILABLE"}
            if left and change_set["ChangeSetName"].startswith(_PREFIX):
                self._client.delete_change_set(
                    StackName=self.name, ChangeSetName=change_set["ChangeSetId"]
                )

    def propose(self, template: StackTemplate, prefix: str = _PREFIX) -> ChangeSet:
        """Create a change set and wait until it can be executed.

        `prefix` is what its name begins with.

        Raises DeployError: the stack's status allows none, or CloudFormation refuses the template.
        """
        status = self.status()
        self._refuse_unless_changeable(status)
        kind = "UPDATE" if status in _UPDATABLE else "CREATE"
        try:
            response = self._client.create_change_set(
                StackName=self.name,
                ChangeSetName=f"{prefix}{uuid4().hex[:12]}",
                ChangeSetType=kind,
                **_source(template),
                **_service_role(),
                ImportExistingResources=True,
                Parameters=[
                    {"ParameterKey": key, "ParameterValue": value}
                    for key, value in template.parameters.items()
                ],
                Capabilities=list(template.capabilities),
                Tags=[{"Key": key, "Value": value} for key, value in template.tags.items()],
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ValidationError":
                raise
            message = " ".join(error.response["Error"]["Message"].split())
            raise DeployError(f"CloudFormation refuses {self.name}: {message}") from error
        change_set = ChangeSet(response["Id"], response["StackId"], ())
        try:
            return ChangeSet(response["Id"], response["StackId"], self._changes(change_set))
        except BaseException:
            # Whatever stops the wait, Ctrl-C too: leave no half-made change set behind.
            self.discard(change_set)
            raise

    def discard(self, change_set: ChangeSet) -> None:
        """Delete the change set, and the empty stack that a first one leaves behind."""
        self._client.delete_change_set(
            StackName=change_set.stack_id, ChangeSetName=change_set.change_set_id
        )
        if self.status() != "REVIEW_IN_PROGRESS":
            return
        others = self._client.list_change_sets(StackName=self.name)["Summaries"]
        if not [other for other in others if other["ChangeSetId"] != change_set.change_set_id]:
            self._client.delete_stack(StackName=change_set.stack_id)

    def execute(self, change_set: ChangeSet, on_event: Callable[[Event], None]) -> None:
        """Execute the change set, call `on_event` for each event, return when it is complete.

        Raises StackError: the stack rolled back; the text names the resource that failed first.
        Raises DeployInterruptedError: Ctrl-C; CloudFormation goes on by itself.
        """
        seen = self._event_ids(change_set.stack_id)
        self._client.execute_change_set(
            StackName=change_set.stack_id,
            ChangeSetName=change_set.change_set_id,
            # What this very operation creates holds nothing yet: where it fails, do not retain it.
            # What it takes in holds data, so then nothing is excepted.
            RetainExceptOnCreate=not any(
                change.action == "Import" for change in change_set.changes
            ),
        )
        events = self._follow(change_set.stack_id, seen, on_event)
        if events[-1].status not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
            raise self._failed(change_set.stack_id, events)

    def delete(self, on_event: Callable[[Event], None]) -> tuple[Event, ...]:
        """Delete the stack, call `on_event` for each event, return the events in order.

        Raises DeployError: another operation is in progress.
        Raises StackError: a resource could not be deleted.
        Raises DeployInterruptedError: Ctrl-C; CloudFormation goes on by itself.
        """
        description = self._describe(self.name)
        if description is None:
            return ()
        self._refuse_while_busy(description["StackStatus"])
        stack_id = description["StackId"]
        seen = self._event_ids(stack_id)
        self._client.delete_stack(StackName=stack_id)
        if description["StackStatus"] == "REVIEW_IN_PROGRESS":
            return ()
        events = self._follow(stack_id, seen, on_event)
        if events[-1].status != "DELETE_COMPLETE":
            raise self._failed(stack_id, events)
        return tuple(events)

    def must_be_created_again(self) -> bool:
        """Whether the stack is what a failed creation left: it can only be deleted."""
        return self.status() == "ROLLBACK_COMPLETE"

    def imagine(self, template: StackTemplate) -> tuple[Change, ...]:
        """Return the changes of a new stack, where no change set can be made to ask for them."""
        return additions(template.document)

    def _describe(self, name_or_id: str) -> dict[str, Any] | None:
        try:
            stacks = self._client.describe_stacks(StackName=name_or_id)["Stacks"]
        except ClientError as error:
            # CloudFormation has no code of its own for this.
            if "does not exist" in error.response["Error"]["Message"]:
                return None
            raise
        description: dict[str, Any] = stacks[0]
        return None if description["StackStatus"] == "DELETE_COMPLETE" else description

    def _refuse_unless_changeable(self, status: str | None) -> None:
        if status is None or status == "REVIEW_IN_PROGRESS" or status in _UPDATABLE:
            return
        self._refuse_while_busy(status)
        if status == "UPDATE_ROLLBACK_FAILED":
            raise DeployError(
                f"stack {self.name} is in UPDATE_ROLLBACK_FAILED: mend the resource that failed, "
                f"then aws cloudformation continue-update-rollback --stack-name {self.name}"
            )
        raise DeployError(
            f"stack {self.name} is in {status} and can only be deleted: see "
            f"aws cloudformation describe-stack-events --stack-name {self.name}, then use --delete"
        )

    def _refuse_while_busy(self, status: str) -> None:
        if _is_busy(status):
            raise DeployError(
                f"stack {self.name} is in {status}: another operation is running; "
                "wait until it has ended, then run this again"
            )

    def _changes(self, change_set: ChangeSet) -> tuple[Change, ...]:
        wait = _FIRST_WAIT
        paginator = self._client.get_paginator("describe_change_set")
        while True:
            pages = list(
                paginator.paginate(
                    StackName=change_set.stack_id, ChangeSetName=change_set.change_set_id
                )
            )
            status, reason = pages[0]["Status"], pages[0].get("StatusReason", "")
            if status == "CREATE_COMPLETE":
                return tuple(
                    Change.from_response(change) for page in pages for change in page["Changes"]
                )
            if status == "FAILED":
                if any(text in reason for text in _NO_CHANGES):
                    return ()
                refused = self._refused(
                    StackName=change_set.stack_id, ChangeSetName=change_set.change_set_id
                )
                first, *others = [str(failure) for failure in refused] or [reason]
                raise StackError(f"the change set of {self.name} failed: {first}", others)
            time.sleep(wait)
            wait = min(wait * _GROWTH, _LONGEST_WAIT)

    def _event_ids(self, stack_id: str) -> set[str]:
        page = self._client.describe_stack_events(StackName=stack_id)
        return {event["EventId"] for event in page["StackEvents"]}

    def _follow(
        self, stack_id: str, seen: set[str], on_event: Callable[[Event], None]
    ) -> list[Event]:
        events: list[Event] = []
        wait = _FIRST_WAIT
        try:
            while True:
                fresh = self._events_after(stack_id, seen)
                for event in fresh:
                    seen.add(event.event_id)
                    events.append(event)
                    on_event(event)
                    if event.closes(stack_id):
                        return events
                wait = _FIRST_WAIT if fresh else min(wait * _GROWTH, _LONGEST_WAIT)
                time.sleep(wait)
        except KeyboardInterrupt as interrupt:
            raise DeployInterruptedError(
                f"interrupted: CloudFormation goes on with {self.name}; run the same command "
                "again, which waits for it and goes on, or look with "
                f"aws cloudformation describe-stack-events --stack-name {self.name} "
                f"--region {self._client.meta.region_name}"
            ) from interrupt

    def _events_after(self, stack_id: str, seen: set[str]) -> list[Event]:
        """Return the events not in `seen`, oldest first; pages come newest first."""
        fresh: list[Event] = []
        for page in self._client.get_paginator("describe_stack_events").paginate(
            StackName=stack_id
        ):
            known = [event for event in page["StackEvents"] if event["EventId"] in seen]
            fresh += [
                Event.from_response(event)
                for event in page["StackEvents"]
                if event["EventId"] not in seen
            ]
            if known:
                break
        return fresh[::-1]

    def _refused(self, **names: str) -> tuple[Failure, ...]:
        """Return what CloudFormation's validation refused before the operation began."""
        paginator = self._client.get_paginator("describe_events")
        try:
            pages = list(paginator.paginate(**names, Filters={"FailedEvents": True}))
        except ClientError:
            # A caller may be allowed to deploy and not to read this: the general reason has to do.
            return ()
        return validation_failures([event for page in pages for event in page["OperationEvents"]])

    def _failed(self, stack_id: str, events: list[Event]) -> StackError:
        causes = failures(events)
        if all(cause.resource_type == STACK_TYPE for cause in causes):
            causes = self._refused(StackName=stack_id) or causes
        status = f"stack {self.name} is now in {events[-1].status}"
        first, *others = [str(cause) for cause in causes] or [status]
        details = [*others, status]
        if "already exists" in first:
            details.append(
                "a name of this stack is taken, perhaps by what a deleted stack left behind: "
                "see docs/deploy.md"
            )
        return StackError(first, details)
