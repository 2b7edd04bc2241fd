"""Find out what a deployment would change, and change nothing.

A change set is made and deleted again, as is the empty stack that a first one leaves behind, and a
template that is too long for a request lies in the bucket only meanwhile.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from deploy import app, artifacts, packaged, record, rights, stacks
from deploy.account import Account
from deploy.changes import Change
from deploy.discovery import Discovery
from deploy.model import AppModel, FunctionModel, app_model, content_digest
from deploy.parts import PlannedStack
from deploy.plan import AppPlan, FunctionPlan, Plan, StackPlan
from deploy.releases import Release
from deploy.rights import RightsChange
from deploy.stack import Stack
from deploy.state import StateStore
from deploy.target import Target
from deploy.template import StackTemplate

_PREFIX = "plan-"
# What differs between two functions of one name: the setting, and where Lambda has it.
_SETTINGS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "memory_mb": lambda function: function["MemorySize"],
    "timeout_s": lambda function: function["Timeout"],
    "runtime": lambda function: function["Runtime"],
    "handler": lambda function: function["Handler"],
    "architecture": lambda function: function.get("Architectures", ["x86_64"])[0],
}


def make_plan(target: Target, *, per_operation: bool, on_step: Callable[[str], None]) -> Plan:
    """Return what a deployment would change; `on_step` is told what is being looked at.

    Raises DeployError: it would be refused.
    """
    accounts = target.accounts()
    account = accounts[None]
    if target.part.chalice:
        app.refuse_elsewhere(account, target, per_operation=per_operation)
    plans = [_plan_bucket(each) for each in _with_bucket(accounts, target)]
    outputs: dict[str, str] | None = {}
    app_plan = None
    for planned in [each for each in target.stacks if not each.after_app]:
        on_step(f"stack {planned.template.stack}")
        plan, outputs = _plan_stack(accounts[planned.profile], planned, outputs)
        plans.append(plan)
    if per_operation:
        on_step(f"stack {target.functions_stack_name}")
        plans.append(_plan_functions(account, target, outputs))
    elif target.part.chalice:
        on_step("app")
        app_plan = _plan_app(account, target, outputs)
    for planned in [each for each in target.stacks if each.after_app]:
        on_step(f"stack {planned.template.stack}")
        plan, _ = _plan_stack(accounts[planned.profile], planned, outputs)
        plans.append(plan)
    return Plan(target.part.name, target.stage, tuple(plans), app_plan)


def _with_bucket(accounts: Mapping[str | None, Account], target: Target) -> Iterator[Account]:
    """Return the accounts whose bucket takes part: the one with the state, and what needs it."""
    needed = {planned.profile for planned in target.stacks if planned.needs_bucket}
    return (each for profile, each in accounts.items() if profile is None or profile in needed)


def _plan_bucket(account: Account) -> StackPlan:
    stack, template = stacks.bucket_stack(account), stacks.bucket_template(account)
    changes: tuple[Change, ...] = ()
    if not stack.is_as(template):
        changes = _propose(stack, template)
    return _stack_plan(account, stack, template, changes)


def _plan_stack(
    account: Account, planned: PlannedStack, outputs: Mapping[str, str] | None
) -> tuple[StackPlan, dict[str, str] | None]:
    """Return the plan of a stack, and its outputs as they are; None where it is not there.

    `outputs` are those of the stack before.
    """
    stack = Stack(account.client("cloudformation"), planned.template.stack)
    template, note = planned.template, ""
    if outputs is None:
        note = "its parameters are outputs of the stack before, which is not there yet"
    elif stack.must_be_created_again():
        note = "its creation failed before: it would be deleted and created again"
    elif not template.fits_a_request and not stacks.has_bucket(account):
        note = f"it needs the bucket of the stack {artifacts.STACK}, made before it"
    if note:
        changes = stack.imagine(template)
    else:
        template = stacks.with_inputs(planned, outputs or {}, account)
        with artifacts.temporarily(account, template) as fetchable:
            changes = _propose(stack, fetchable)
    return _stack_plan(account, stack, template, changes, note), stack.outputs()


def _propose(stack: Stack, template: StackTemplate) -> tuple[Change, ...]:
    change_set = stack.propose(template, _PREFIX)
    stack.discard(change_set)
    return change_set.changes


def _stack_plan(
    account: Account,
    stack: Stack,
    template: StackTemplate,
    changes: tuple[Change, ...],
    note: str = "",
) -> StackPlan:
    before = rights.of_template(stack.document())
    change = RightsChange.between(before, rights.of_template(template.document))
    return StackPlan(stack.name, account.account_id, account.region, changes, change, note)


def _plan_functions(
    account: Account, target: Target, outputs: Mapping[str, str] | None
) -> StackPlan:
    stack = target.functions_stack(account)
    if not outputs or not packaged.is_recorded(target.directory, target.stage):
        note = "it can be told once the stack before is there"
        return StackPlan(stack.name, account.account_id, account.region, (), RightsChange(), note)
    with tempfile.TemporaryDirectory() as folder:
        made = app.package(target, outputs, Path(folder), lambda _line: None)
        # The file is not uploaded: a change set does not look at it.
        code = artifacts.location(account, made.code)
    template = made.template(stack.name, code, target.stacks[0].template.tags)
    return _stack_plan(account, stack, template, _propose(stack, template))


def _plan_app(account: Account, target: Target, outputs: Mapping[str, str] | None) -> AppPlan:
    known = app.Placeholders(target.name) if outputs is None else outputs
    environment, policies = app.recordable(target, known)
    path = target.directory / ".chalice" / "config.json"
    config = record.recorded(path, target.stage, environment, policies)
    model = app_model(target.directory, target.stage, config)
    discovery = Discovery(account, target.app_name, target.stage)
    state = StateStore(account, target.part.name, target.stage).read()
    api = discovery.api_in_use(state.app)
    before = [
        right
        for role in discovery.roles()
        for document in discovery.policies(role["role_name"])
        for right in rights.of_document(role["name"].removesuffix("_role"), document)
    ]
    after = [
        right for name, document in policies.items() for right in rights.of_document(name, document)
    ]
    return AppPlan(
        tuple(_function_plans(discovery.configurations(), model, state.releases)),
        _differences(discovery.routes(api) if api else {}, model.routes),
        _event_changes(discovery.bucket_events(), model.events),
        RightsChange.between(before, after),
        app.pending_gateway(account, target, api, known) if api else (),
    )


def _function_plans(
    before: Mapping[str, Mapping[str, Any]], model: AppModel, releases: Sequence[Release]
) -> Iterator[FunctionPlan]:
    size = model.package.stat().st_size
    digest = content_digest(model.package)
    for name, function in model.functions.items():
        if name not in before:
            yield FunctionPlan(name, "add", code_changes=True, code_bytes=(None, size))
            continue
        plan = FunctionPlan(
            name,
            "change",
            _settings(before[name], function),
            _variables(before[name], function),
            _deployed_digest(before[name], releases) != digest,
            (before[name]["CodeSize"], size),
        )
        if plan.settings or any(plan.variables.values()) or plan.code_changes:
            yield plan
    for name in before.keys() - model.functions.keys():
        yield FunctionPlan(name, "remove", code_bytes=(before[name]["CodeSize"], None))


def _deployed_digest(function: Mapping[str, Any], releases: Sequence[Release]) -> str | None:
    """Return the digest of what the function's code has in it, None where it is no release's."""
    for release in reversed(releases):
        if release.code_sha256 == function["CodeSha256"]:
            return release.content_sha256
    return None


def _settings(before: Mapping[str, Any], after: FunctionModel) -> dict[str, tuple[Any, Any]]:
    return {
        name: (value(before), getattr(after, name))
        for name, value in _SETTINGS.items()
        if value(before) != getattr(after, name)
    }


def _variables(before: Mapping[str, Any], after: FunctionModel) -> dict[str, tuple[str, ...]]:
    old, new = before.get("Environment", {}).get("Variables", {}), after.environment
    return {
        "added": tuple(sorted(new.keys() - old.keys())),
        "changed": tuple(sorted(name for name in new.keys() & old if new[name] != old[name])),
        "removed": tuple(sorted(old.keys() - new.keys())),
    }


def _differences(
    before: Mapping[str, str], after: Mapping[str, str]
) -> dict[str, tuple[str | None, str | None]]:
    return {
        route: (before.get(route), after.get(route))
        for route in sorted(before.keys() | after.keys())
        if before.get(route) != after.get(route)
    }


def _event_changes(
    before: frozenset[tuple[str, str]], after: frozenset[tuple[str, str]]
) -> dict[tuple[str, str], bool]:
    return {event: event in after for event in sorted(before ^ after)}
