"""A plan in words, for people."""

from deploy import progress
from deploy.plan import AppPlan, FunctionPlan, Plan, StackPlan
from deploy.rights import RightsChange


def show(plan: Plan) -> None:
    """Print the plan: what is added to rights in red, what needs a second look in yellow."""
    for stack in plan.stacks:
        _show_stack(stack)
    if plan.app is not None:
        _show_app(plan.app)
    progress.heading("there are changes" if plan else "nothing would change")


def _show_stack(plan: StackPlan) -> None:
    progress.heading(f"stack {plan.stack} in account {plan.account}, {plan.region}")
    if plan.note:
        progress.line(f"{plan.note}:")
    for change in plan.changes:
        (progress.warning if change.matters else progress.line)(str(change))
    _show_rights(plan.rights)
    if not plan:
        progress.line("no changes")


def _show_app(plan: AppPlan) -> None:
    progress.heading("app")
    for function in plan.functions:
        _show_function(function)
    for route, (before, after) in plan.routes.items():
        if before is None:
            progress.line(f"add  route {route} ({after})")
        elif after is None:
            progress.warning(f"remove  route {route}")
        else:
            show_change = progress.alert if after == "NONE" else progress.warning
            show_change(f"change  route {route}: authorization {before} -> {after}")
    for (bucket, receiver), added in plan.events.items():
        progress.line(f"{'add' if added else 'remove'}  events of bucket {bucket} to {receiver}")
    _show_rights(plan.rights)
    for setting in plan.gateway:
        progress.line(f"set  {setting} of the API")
    if not plan:
        progress.line("no changes")


def _show_function(plan: FunctionPlan) -> None:
    size_before, size_after = (_size(size) for size in plan.code_bytes)
    match plan.action:
        case "remove":
            progress.warning(f"remove  function {plan.function}")
            return
        case "add":
            progress.line(f"add  function {plan.function} (code {size_after})")
            return
    progress.line(f"change  function {plan.function}")
    if plan.code_changes:
        progress.line(f"  code {size_before} -> {size_after}")
    for name, (old, new) in plan.settings.items():
        progress.line(f"  {name} {old} -> {new}")
    for kind, names in plan.variables.items():
        if names:
            progress.line(f"  environment variables {kind}: {', '.join(names)}")


def _show_rights(rights: RightsChange) -> None:
    for right in rights.added:
        (progress.line if right.denies else progress.alert)(f"add right  {right}")
    for right in rights.removed:
        # Less is denied: somebody may do more.
        (progress.alert if right.denies else progress.line)(f"remove right  {right}")


def _size(size: int | None) -> str:
    return "unknown" if size is None else f"{size:,} bytes"
