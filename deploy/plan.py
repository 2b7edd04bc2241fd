"""What a deployment would change, without changing it."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from deploy import app, artifacts, packaged, progress, stacks
from deploy.account import Account
from deploy.stack import Stack
from deploy.target import Target

EXIT_CHANGES = 2


def plan(target: Target, *, per_operation: bool) -> int:
    """Show what a deployment would change, return the exit status."""
    accounts = target.accounts()
    outputs: dict[str, str] | None = {}
    changed = False
    for planned in target.stacks:
        account = accounts[planned.profile]
        stack = Stack(account.client("cloudformation"), planned.template.stack)
        progress.heading(f"stack {stack.name} in {account}")
        if outputs is None:
            progress.line("its parameters are outputs of the stack before, which is not there yet:")
            changes = stack.imagine(planned.template)
        elif stack.must_be_created_again():
            progress.warning("its creation failed before: it would be deleted and created again:")
            changes = stack.imagine(planned.template)
        elif planned.needs_bucket and not stacks.has_bucket(account):
            progress.line(f"it needs the bucket of the stack {artifacts.STACK}, made before it:")
            changes = stack.imagine(planned.template)
        else:
            # The files are named by their content: to put one there changes nothing that runs.
            change_set = stack.propose(stacks.fetchable(planned, outputs, account))
            stack.discard(change_set)
            changes = change_set.changes
        for change in changes:
            (progress.warning if change.matters else progress.line)(str(change))
        if not changes:
            progress.line("no changes")
        changed = changed or bool(changes)
        outputs = stack.outputs()
    if per_operation:
        changed = _plan_functions(accounts[None], target, outputs) or changed
    elif target.part.chalice:
        progress.heading(
            f"then `chalice deploy --stage {target.stage}` would package and deploy the functions"
        )
    return EXIT_CHANGES if changed else 0


def _plan_functions(account: Account, target: Target, outputs: Mapping[str, str] | None) -> bool:
    progress.heading(f"stack {target.functions_stack_name} in {account}")
    if not outputs or not packaged.is_recorded(target.directory, target.stage):
        progress.line("its functions need the stack before, which is not there yet")
        return True
    with tempfile.TemporaryDirectory() as folder:
        made = app.package(target, outputs, Path(folder))
        # The file is not uploaded: a change set does not look at it.
        code = artifacts.location(account, made.code)
    stack = target.functions_stack(account)
    change_set = stack.propose(made.template(stack.name, code, target.stacks[0].template.tags))
    stack.discard(change_set)
    for change in change_set.changes:
        (progress.warning if change.matters else progress.line)(str(change))
    if not change_set.changes:
        progress.line("no changes")
    return bool(change_set.changes)
