"""`python -m deploy`: the command line, and the order of the steps."""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from deploy import chalice, deployed, parts, progress, record
from deploy.account import Account
from deploy.errors import DeployError, explain
from deploy.events import retained
from deploy.parts import PARTS, STAGES, Part, PlannedStack
from deploy.stack import Stack
from deploy.template import StackTemplate

EXIT_CHANGES = 2

_EPILOG = """\
examples:
  python -m deploy crud_api --stage dev           create or update the stack, deploy the app
  python -m deploy webtier --stage prod --plan    show what would change, change nothing
  python -m deploy crud_api --stage dev --delete  delete the app and the stack, keep the data

exit status:
  0  done; with --plan: nothing would change
  1  it failed; the first line says which resource or setting, and why
  2  wrong call; with --plan: something would change
  130  interrupted
"""


@dataclass(frozen=True)
class Target:
    """A part at a stage, with the module that makes its templates and its stacks in order."""

    part: Part
    stage: str
    directory: Path
    module: Any
    stacks: tuple[PlannedStack, ...]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.delete and not arguments.yes and not sys.stdin.isatty():
        parser.error("--delete asks for a confirmation: run it on a terminal, or add --yes")
    try:
        target = _target(PARTS[arguments.part], arguments.stage, arguments.root.resolve())
        if arguments.plan:
            return _plan(target)
        if arguments.delete:
            return _delete(target, confirmed=arguments.yes)
        return _deploy(target)
    except DeployError as error:
        progress.error(str(error), error.details)
        return error.exit_code
    except (BotoCoreError, ClientError) as error:
        progress.error(explain(error))
        return 1
    except OSError as error:
        progress.error(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        return 1
    except KeyboardInterrupt:
        progress.error("interrupted")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy",
        description="Deploy one part: its stack by a change set, the stack's outputs recorded for "
        "Chalice,\nthen the app by `chalice deploy`. Credentials, region and endpoint are boto3's.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("part", choices=tuple(PARTS), help="the part to deploy")
    parser.add_argument("--stage", required=True, choices=STAGES, help="the stage")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--plan", action="store_true", help="show the changes and change nothing")
    action.add_argument("--delete", action="store_true", help="delete the app, then the stack")
    parser.add_argument("--yes", action="store_true", help="do not ask before --delete")
    parser.add_argument(
        "--root",
        type=Path,
        default=Path(__file__).resolve().parent.parent,
        metavar="DIR",
        help="the folder that holds the part's folder, for a copy of it (default: this checkout)",
    )
    return parser


def _target(part: Part, stage: str, root: Path) -> Target:
    module = parts.load(part, root)
    return Target(part, stage, root / part.name, module, parts.stacks(part, module, root, stage))


def _deploy(target: Target) -> int:
    started = time.monotonic()
    outputs: dict[str, str] = {}
    for planned in target.stacks:
        account = Account.of(planned.profile)
        template = _named(planned.with_inputs(outputs), account)
        progress.heading(f"stack {template.stack} in {account}")
        outputs = _deploy_stack(Stack(account.client("cloudformation"), template.stack), template)
    if target.part.chalice:
        account = Account.of()
        _record(target, outputs)
        _forget_lost(account, target)
        if api := deployed.find_api(account, target.directory, target.stage):
            progress.line(f"found the API {api} of an earlier deployment")
        _run_chalice(account, target, "deploy")
    progress.heading(f"{target.part.name} is deployed ({time.monotonic() - started:.1f} s)")
    if target.part.chalice:
        _say_url(account, target)
    return 0


def _deploy_stack(stack: Stack, template: StackTemplate) -> dict[str, str]:
    started = time.monotonic()
    if stack.must_be_created_again():
        progress.warning("its creation failed before (ROLLBACK_COMPLETE): deleting what is left")
        stack.delete(lambda event: progress.line(str(event)))
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


def _plan(target: Target) -> int:
    outputs: dict[str, str] | None = {}
    changed = False
    for planned in target.stacks:
        account = Account.of(planned.profile)
        stack = Stack(account.client("cloudformation"), planned.template.stack)
        progress.heading(f"stack {stack.name} in {account}")
        if outputs is None:
            progress.line("its parameters are outputs of the stack before, which is not there yet:")
            changes = stack.imagine(planned.template)
        elif stack.must_be_created_again():
            progress.warning("its creation failed before: it would be deleted and created again:")
            changes = stack.imagine(planned.template)
        else:
            change_set = stack.propose(_named(planned.with_inputs(outputs), account))
            stack.discard(change_set)
            changes = change_set.changes
        for change in changes:
            (progress.warning if change.matters else progress.line)(str(change))
        if not changes:
            progress.line("no changes")
        changed = changed or bool(changes)
        outputs = stack.outputs()
    if target.part.chalice:
        progress.heading(
            f"then `chalice deploy --stage {target.stage}` would package and deploy the functions"
        )
    return EXIT_CHANGES if changed else 0


def _delete(target: Target, *, confirmed: bool) -> int:
    stacks = []
    for planned in reversed(target.stacks):
        account = Account.of(planned.profile)
        progress.heading(f"stack {planned.template.stack} in {account}")
        stacks.append(Stack(account.client("cloudformation"), planned.template.stack))
    if not confirmed and not _confirmed(target):
        progress.heading("nothing was deleted")
        return 1
    if target.part.chalice:
        _delete_app(Account.of(), target)
    for stack in stacks:
        progress.heading(f"deleting stack {stack.name}")
        if stack.status() is None:
            progress.line("there is no such stack")
            continue
        for event in retained(stack.delete(lambda event: progress.line(str(event)))):
            progress.warning(f"retained: {event.resource_type} {event.physical_id}")
    progress.heading(f"{target.part.name} is deleted at the stage {target.stage}")
    return 0


def _delete_app(account: Account, target: Target) -> None:
    _forget_lost(account, target)
    if deployed.state_file(target.directory, target.stage).exists():
        _run_chalice(account, target, "delete")
        _forget_lost(account, target)
    elif deployed.function_exists(account, target.directory, target.stage):
        raise DeployError(
            f"another machine deployed {target.part.name} at the stage {target.stage}: deploy "
            "it here first, which finds what belongs to it, then delete it"
        )
    else:
        progress.line(f"no app is recorded as deployed at the stage {target.stage}")


def _confirmed(target: Target) -> bool:
    try:
        answer = input(f"Delete {target.part.name} at the stage {target.stage}? [y/N] ")
    except EOFError:
        return False
    return answer.strip().lower() in {"y", "yes"}


def _record(target: Target, outputs: dict[str, str]) -> None:
    progress.heading("outputs for Chalice")
    changed = record.record(
        target.directory,
        target.stage,
        target.module.environment(outputs),
        target.module.policies(outputs),
    )
    for path in changed:
        progress.line(f"recorded {path.relative_to(target.directory.parent)}")
    if not changed:
        progress.line("recorded already")


def _forget_lost(account: Account, target: Target) -> None:
    for name in deployed.forget_lost(account, target.directory, target.stage):
        progress.warning(f"the account has no {name} any more: taken out of Chalice's state")


def _run_chalice(account: Account, target: Target, command: str) -> None:
    progress.heading(f"chalice {command} --stage {target.stage}")

    def show(text: str) -> None:
        # Chalice always prints an address on AWS; behind another endpoint it leads nowhere.
        if account.endpoint is None or "Rest API URL" not in text:
            progress.line(text)

    chalice.run(target.directory, command, target.stage, show)


def _named(template: StackTemplate, account: Account) -> StackTemplate:
    return template.with_literal_names(account.account_id, account.region)


def _say_url(account: Account, target: Target) -> None:
    api = deployed.rest_api(target.directory, target.stage)
    if api is None:
        return
    if account.endpoint:
        progress.line(f"API {api.rest_api_id} at {account.endpoint}")
    else:
        progress.line(api.url)
