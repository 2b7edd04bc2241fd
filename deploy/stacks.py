"""The steps of a deployment that concern stacks: bring one up to date, and tell of it."""

import time
from collections.abc import Mapping

from botocore.exceptions import ClientError

from deploy import artifacts, parts, progress
from deploy.account import Account
from deploy.errors import DeployError, DeployInterruptedError, StackError
from deploy.parts import PlannedStack
from deploy.stack import Stack
from deploy.template import StackTemplate

# Tries to make the bucket while others do, and seconds between them.
_BUCKET_ATTEMPTS, _BUCKET_WAIT_SECONDS = 5, 2


def deploy_planned(
    account: Account, planned: PlannedStack, outputs: Mapping[str, str]
) -> dict[str, str]:
    """Bring a stack of the part up to date, return its outputs.

    `outputs` are those of the stack before.
    """
    if planned.needs_bucket:
        deploy_bucket(account)
    template = fetchable(planned, outputs, account)
    progress.heading(f"stack {template.stack} in {account}")
    return deploy_stack(Stack(account.client("cloudformation"), template.stack), template)


def deploy_bucket(account: Account) -> None:
    """Create or update the account's bucket, unless it is as it should be."""
    stack, template = bucket_stack(account), bucket_template(account)
    for left in reversed(range(_BUCKET_ATTEMPTS)):
        if stack.is_as(template):
            return
        progress.heading(f"stack {artifacts.STACK} in {account}")
        try:
            deploy_stack(stack, template, is_locked=False)
            return
        except (DeployInterruptedError, StackError):
            raise
        except (ClientError, DeployError):
            # The bucket is of all parts and stages, and has their locks: another deployment may
            # make it at the same moment, with a change set of its own.
            if not left:
                raise
            time.sleep(_BUCKET_WAIT_SECONDS)


def bucket_stack(account: Account) -> Stack:
    """Return the stack of the account's bucket."""
    return Stack(account.client("cloudformation"), artifacts.STACK)


def bucket_template(account: Account) -> StackTemplate:
    """Return the template of the account's bucket."""
    return named(artifacts.stack_template(), account)


def has_bucket(account: Account) -> bool:
    """Whether the account has its bucket."""
    return bucket_stack(account).outputs() is not None


def fetchable(planned: PlannedStack, outputs: Mapping[str, str], account: Account) -> StackTemplate:
    """Return the stack's template with its inputs, and put what it needs into the bucket."""
    for key, content in planned.artifacts.items():
        progress.line(f"artifact {key}, {len(content) / 1e6:.1f} MB")
        artifacts.put(account, key, content)
    template = with_inputs(planned, outputs, account)
    return template if template.fits_a_request else artifacts.with_url(account, template)


def with_inputs(
    planned: PlannedStack, outputs: Mapping[str, str], account: Account
) -> StackTemplate:
    """Return the stack's template with its inputs and with literal names."""
    inputs = dict(outputs)
    if planned.artifacts:
        inputs[parts.ARTIFACT_BUCKET] = artifacts.bucket_name(account)
    return named(planned.with_inputs(inputs), account)


def named(template: StackTemplate, account: Account) -> StackTemplate:
    """Return the template with the names of retained resources written out."""
    return template.with_literal_names(account.account_id, account.region)


def deploy_stack(
    stack: Stack, template: StackTemplate, *, is_locked: bool = True
) -> dict[str, str]:
    """Bring the stack up to date by a change set, tell its changes and events, return its outputs.

    An operation that still runs, perhaps one of a deployment that was cut off, is waited for. Where
    the stack `is_locked`, a change set that is there is left of one, too.
    """
    started = time.monotonic()
    stack.settle(lambda event: progress.line(str(event)))
    if stack.must_be_created_again():
        progress.warning("its creation failed before (ROLLBACK_COMPLETE): deleting what is left")
        stack.delete(lambda event: progress.line(str(event)))
    if is_locked:
        stack.discard_left()
    change_set = stack.propose(template)
    if change_set.changes:
        for change in change_set.changes:
            (progress.warning if change.matters else progress.line)(str(change))
        stack.execute(change_set, lambda event: progress.line(str(event)))
        progress.line(f"complete ({time.monotonic() - started:.1f} s)")
    else:
        stack.discard(change_set)
        progress.line("no changes")
    outputs = stack.outputs() or {}
    for key, value in outputs.items():
        progress.line(f"output {key} = {value}")
    return outputs
