"""Delete a part at a stage: its app, then its stacks, the last one first, then data if told so."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace

from deploy import app, deployed, progress, retained, stacks
from deploy.account import Account
from deploy.deployment import locked
from deploy.events import retained as skipped
from deploy.gateway import delete_usage_plan
from deploy.parts import PlannedStack
from deploy.retained import Retained
from deploy.stack import Stack
from deploy.state import StateStore
from deploy.target import Target
from deploy.template import StackTemplate


@dataclass(frozen=True)
class _Deletion:
    """A stack to delete, in its account, with the data that it leaves there."""

    account: Account
    planned: PlannedStack
    stack: Stack

    @classmethod
    def of(cls, account: Account, planned: PlannedStack) -> "_Deletion":
        client = account.client("cloudformation")
        return cls(account, planned, Stack(client, planned.template.stack))

    def data(self) -> list[Retained]:
        """Return the data of the stack that the account has, whether the stack is there or not."""
        template = self._template()
        found = [
            Retained(kind, physical_id)
            for logical_id, (kind, physical_id) in self.stack.resources().items()
            if template.document["Resources"].get(logical_id, {}).get("DeletionPolicy") == "Retain"
        ]
        return retained.existing(self.account, [*found, *retained.in_template(template)])

    def found_again(self) -> list[Retained]:
        """Return what its name in the template finds once the stack is gone."""
        return retained.in_template(self._template())

    def _template(self) -> StackTemplate:
        return stacks.named(self.planned.template, self.account)


def delete(target: Target, *, confirmed: bool, with_data: bool) -> int:
    """Delete the part, and its data `with_data`; return the exit status."""
    accounts = target.accounts()
    account = accounts[None]
    if target.part.chalice:
        deployed.refuse_foreign(account, target.directory, target.stage)
    deletions = [_Deletion.of(accounts[each.profile], each) for each in reversed(target.stacks)]
    for each in deletions:
        progress.heading(f"stack {each.stack.name} in {each.account}")
    if not confirmed and not _confirmed(target, deletions, with_data=with_data):
        progress.heading("nothing was deleted")
        return 1
    with locked(account, target.part.name, target.stage):
        data = [(each, each.data()) for each in deletions]
        for each in deletions:
            if each.planned.after_app:
                _delete_stack(each.stack)
        if target.part.chalice:
            if target.has_function_per_operation(account):
                _delete_stack(target.functions_stack(account))
            else:
                _delete_app(account, target, _outputs(target, deletions))
            if target.gateway:
                delete_usage_plan(account.client("apigateway"), target.name)
        for each in deletions:
            if not each.planned.after_app:
                _delete_stack(each.stack)
        _forget_version(account, target)
        if with_data:
            for each, left in data:
                _delete_data(each.account, left)
            StateStore(account, target.part.name, target.stage).delete()
        else:
            again = {left for each in deletions for left in each.found_again()}
            _tell_what_stays(target, [left for _, found in data for left in found], again)
    progress.heading(f"{target.part.name} is deleted at the stage {target.stage}")
    return 0


def _outputs(target: Target, deletions: Sequence[_Deletion]) -> Mapping[str, str]:
    """Return the outputs of the stack that the app is deployed on, made up where it is gone."""
    for each in deletions:
        if not each.planned.after_app and (outputs := each.stack.outputs()):
            return outputs
    return app.Placeholders(target.name)


def _delete_stack(stack: Stack) -> None:
    progress.heading(f"deleting stack {stack.name}")
    if stack.status() is None:
        progress.line("there is no such stack")
        return
    stack.settle(lambda event: progress.line(str(event)))
    for event in skipped(stack.delete(lambda event: progress.line(str(event)))):
        progress.warning(f"retained: {event.resource_type} {event.physical_id}")


def _delete_app(account: Account, target: Target, outputs: Mapping[str, str]) -> None:
    # Chalice imports the app even to delete it, and the app reads what a clone has not recorded.
    environment, _ = app.recordable(target, outputs)
    store = StateStore(account, target.part.name, target.stage)
    state = app.restore(account, target, store)
    if deployed.read(target.directory, target.stage) is None:
        progress.line(f"no app is deployed at the stage {target.stage}")
        return
    app.run_chalice(account, target, "delete", environment)
    for name in deployed.forget_lost(account, target.directory, target.stage):
        progress.warning(f"the account has no {name} any more: taken out of Chalice's state")
    store.write(replace(state, app=None))


def _forget_version(account: Account, target: Target) -> None:
    """Note that no version is deployed; they can still be gone back to after another deployment."""
    store = StateStore(account, target.part.name, target.stage)
    state = store.read()
    if state.current is not None:
        store.write(replace(state, current=None))


def _delete_data(account: Account, data: Sequence[Retained]) -> None:
    progress.heading(f"deleting data in {account}")
    for each in data:
        note = retained.delete(account, each)
        progress.warning(f"deleted: {each}{f' (to be had back {note})' if note else ''}")
    if not data:
        progress.line("there is none")


def _tell_what_stays(target: Target, data: Sequence[Retained], again: Set[Retained]) -> None:
    named = [each for each in data if each in again]
    if named:
        progress.heading("kept")
        for each in named:
            progress.line(str(each))
        command = f"python -m deploy {target.part.name} --stage {target.stage}"
        progress.line(f"deploy it again and it has them back: {command}")
        progress.line(f"to be rid of them for good: {command} --delete --delete-data")
    if len(named) < len(data):
        progress.heading("kept, under names that only the deleted stack knew")
        for each in data:
            if each not in again:
                progress.line(str(each))
        progress.line("another deployment makes new ones; when you need these no more, delete them")


def _confirmed(target: Target, deletions: Sequence[_Deletion], *, with_data: bool) -> bool:
    if not _typed(target.stage, f"Type {target.stage} to delete {target.part.name} there: "):
        return False
    if not with_data:
        return True
    data = [each for deletion in deletions for each in deletion.data()]
    for each in data:
        progress.alert(f"with all that is in it, for good: {each}")
    words = f"delete the data of {target.stage}"
    return _typed(words, f"Type {words}: ")


def _typed(expected: str, question: str) -> bool:
    try:
        return input(question).strip() == expected
    except EOFError:
        return False
