"""Delete a part at a stage: its app, then its stacks, the last one first."""

from dataclasses import replace

from deploy import app, deployed, progress
from deploy.account import Account
from deploy.deployment import locked
from deploy.events import retained
from deploy.gateway import delete_usage_plan
from deploy.stack import Stack
from deploy.state import StateStore
from deploy.target import Target


def delete(target: Target, *, confirmed: bool) -> int:
    """Delete the part, return the exit status."""
    accounts = target.accounts()
    account = accounts[None]
    if target.part.chalice:
        deployed.refuse_foreign(account, target.directory, target.stage)
    of_app: list[Stack] = []
    stacks: list[Stack] = []
    for planned in reversed(target.stacks):
        its_account = accounts[planned.profile]
        progress.heading(f"stack {planned.template.stack} in {its_account}")
        stack = Stack(its_account.client("cloudformation"), planned.template.stack)
        (of_app if planned.after_app else stacks).append(stack)
    if not confirmed and not _confirmed(target):
        progress.heading("nothing was deleted")
        return 1
    with locked(account, target.part.name, target.stage):
        for stack in of_app:
            _delete_stack(stack)
        if target.part.chalice:
            if target.has_function_per_operation(account):
                stacks.insert(0, target.functions_stack(account))
            else:
                _delete_app(account, target)
            if target.gateway:
                delete_usage_plan(account.client("apigateway"), target.name)
        for stack in stacks:
            _delete_stack(stack)
    progress.heading(f"{target.part.name} is deleted at the stage {target.stage}")
    return 0


def _delete_stack(stack: Stack) -> None:
    progress.heading(f"deleting stack {stack.name}")
    if stack.status() is None:
        progress.line("there is no such stack")
        return
    stack.settle(lambda event: progress.line(str(event)))
    for event in retained(stack.delete(lambda event: progress.line(str(event)))):
        progress.warning(f"retained: {event.resource_type} {event.physical_id}")


def _delete_app(account: Account, target: Target) -> None:
    store = StateStore(account, target.part.name, target.stage)
    state = app.restore(account, target, store)
    if deployed.read(target.directory, target.stage) is None:
        progress.line(f"no app is deployed at the stage {target.stage}")
        return
    app.run_chalice(account, target, "delete")
    for name in deployed.forget_lost(account, target.directory, target.stage):
        progress.warning(f"the account has no {name} any more: taken out of Chalice's state")
    store.write(replace(state, app=None, current=None))


def _confirmed(target: Target) -> bool:
    try:
        answer = input(f"Delete {target.part.name} at the stage {target.stage}? [y/N] ")
    except EOFError:
        return False
    return answer.strip().lower() in {"y", "yes"}
