"""`python -m deploy`: the command line, and the order of the steps."""

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from deploy import artifacts, chalice, deployed, packaged, parts, progress, record, redrive
from deploy.account import Account
from deploy.errors import DeployError, SettingsError, explain
from deploy.events import retained
from deploy.gateway import Gateway, GatewaySettings, delete_usage_plan
from deploy.parts import PARTS, STAGES, Part, PlannedStack
from deploy.stack import Stack
from deploy.template import StackTemplate

EXIT_CHANGES = 2

_EPILOG = """\
examples:
  python -m deploy crud_api --stage dev           create or update the stack, deploy the app
  python -m deploy webtier --stage prod --plan    show what would change, change nothing
  python -m deploy crud_api --stage dev --delete  delete the app and the stack, keep the data
  python -m deploy crud_api --stage dev --per-operation  a function and a role per operation
  python -m deploy image_api --stage dev --redrive       have failed events processed again

exit status:
  0  done; with --plan: nothing would change
  1  it failed; the first line says which resource or setting, and why
  2  wrong call; with --plan: something would change
  130  interrupted
"""


@dataclass(frozen=True)
class Target:
    """A part at a stage, with the module that makes its templates and its stacks in order.

    `settings` is the stage's table of stages.toml, `gateway` the module of the same name and
    `per_operation` the module that packages the functions; each is None where the part has none.
    """

    part: Part
    stage: str
    directory: Path
    module: Any
    stacks: tuple[PlannedStack, ...]
    settings: parts.Settings
    gateway: Any = None
    per_operation: Any = None

    @property
    def name(self) -> str:
        """The name of the part's resources at the stage, which its first stack has."""
        return self.stacks[0].template.stack

    @property
    def functions_stack(self) -> str:
        """The name of the stack of a deployment with a function per operation."""
        return f"{self.name.removesuffix(self.stage)}functions-{self.stage}"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.delete and not arguments.yes and not sys.stdin.isatty():
        parser.error("--delete asks for a confirmation: run it on a terminal, or add --yes")
    part = PARTS[arguments.part]
    if arguments.per_operation and part.per_operation is None:
        parser.error(f"{part.name} has no --per-operation")
    try:
        target = _target(part, arguments.stage, arguments.root.resolve())
        if arguments.per_operation and target.per_operation is None:
            raise SettingsError(f"{part.name} in {arguments.root} has no module per_operation")
        if arguments.plan:
            return _plan(target, per_operation=arguments.per_operation)
        if arguments.delete:
            return _delete(target, confirmed=arguments.yes)
        if arguments.redrive:
            return _redrive(target)
        return _deploy(target, per_operation=arguments.per_operation)
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
    action.add_argument(
        "--redrive",
        action="store_true",
        help="put the events of the part's failure queue back to its functions",
    )
    action.add_argument("--delete", action="store_true", help="delete the app, then the stack")
    parser.add_argument("--yes", action="store_true", help="do not ask before --delete")
    parser.add_argument(
        "--per-operation",
        action="store_true",
        help="a function for each operation of the API, deployed as a stack of its own",
    )
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
    settings = parts.stage_settings(root / part.name / "stages.toml", stage)
    # A wrong setting is told before anything is sent.
    GatewaySettings.of(settings.get("gateway", {}))
    return Target(
        part,
        stage,
        root / part.name,
        module,
        parts.stacks(part, module, root, stage),
        settings,
        parts.load_if_there(part, root, part.gateway),
        parts.load_if_there(part, root, part.per_operation),
    )


def _deploy(target: Target, *, per_operation: bool) -> int:
    started = time.monotonic()
    outputs: dict[str, str] = {}
    for planned in target.stacks:
        if not planned.after_app:
            outputs = _deploy_planned(planned, outputs)
    url = ""
    if target.part.chalice:
        account = Account.of()
        _record(target, outputs)
        deploy_app = _deploy_functions if per_operation else _deploy_app
        url = deploy_app(account, target, outputs)
    for planned in target.stacks:
        if planned.after_app:
            outputs = _deploy_planned(planned, outputs)
    progress.heading(f"{target.part.name} is deployed ({time.monotonic() - started:.1f} s)")
    if url:
        progress.line(url)
    return 0


def _deploy_planned(planned: PlannedStack, outputs: Mapping[str, str]) -> dict[str, str]:
    account = Account.of(planned.profile)
    if planned.needs_bucket:
        _deploy_bucket(account)
    template = _fetchable(planned, outputs, account)
    progress.heading(f"stack {template.stack} in {account}")
    return _deploy_stack(Stack(account.client("cloudformation"), template.stack), template)


def _deploy_app(account: Account, target: Target, outputs: Mapping[str, str]) -> str:
    """Deploy the app by Chalice, and return what to say about its address."""
    if target.per_operation and _functions_stack(account, target).status() is not None:
        raise DeployError(
            f"{target.part.name} has a function per operation at the stage {target.stage}: add "
            "--per-operation, or delete it first"
        )
    _forget_lost(account, target)
    if api := deployed.find_api(account, target.directory, target.stage):
        progress.line(f"found the API {api} of an earlier deployment")
    _run_chalice(account, target, "deploy")
    found = deployed.rest_api(target.directory, target.stage)
    if found is None:
        return ""
    if target.gateway:
        _set_gateway(account, target, found.rest_api_id, outputs)
    return _address(account, found.rest_api_id, found.url)


def _set_gateway(
    account: Account, target: Target, rest_api_id: str, outputs: Mapping[str, str]
) -> None:
    progress.heading("settings of the API")
    config = packaged.stage_config(target.directory, target.stage)
    settings = GatewaySettings.of(target.settings.get("gateway", {}))
    gateway = Gateway(account.client("apigateway"), rest_api_id, config["api_gateway_stage"])
    changed = gateway.set_responses(target.gateway.responses(config["environment_variables"]))
    if changed:
        progress.line(f"{changed} gateway responses")
    log = outputs.get("AccessLogArn")
    for path in gateway.set_stage(settings.throttle, log, target.gateway.ACCESS_LOG_FORMAT):
        progress.line(path)
    if settings.usage_plan and gateway.set_usage_plan(target.name, settings.usage_plan):
        progress.line(f"usage plan {target.name}")


def _functions_stack(account: Account, target: Target) -> Stack:
    return Stack(account.client("cloudformation"), target.functions_stack)


def _deploy_functions(account: Account, target: Target, outputs: Mapping[str, str]) -> str:
    """Deploy the app as a stack with a function for each operation, and say its address."""
    stack = _functions_stack(account, target)
    if stack.status() is None and deployed.function_exists(account, target.directory, target.stage):
        raise DeployError(
            f"{target.part.name} has one function for all operations at the stage "
            f"{target.stage}: delete it first (--delete keeps the data)"
        )
    _deploy_bucket(account)
    with tempfile.TemporaryDirectory() as folder:
        made = _package(target, outputs, Path(folder))
        code = artifacts.upload(account, made.code)
    template = made.template(stack.name, code, target.stacks[0].template.tags)
    progress.heading(f"stack {stack.name} in {account}")
    functions = _deploy_stack(stack, template)
    return _address(account, functions["RestAPIId"], functions["EndpointURL"])


def _package(target: Target, outputs: Mapping[str, str], folder: Path) -> packaged.Package:
    progress.heading(f"chalice package --stage {target.stage}")
    modules = (target.per_operation, target.gateway)
    merged = packaged.merge_template(
        modules, target.directory, target.stage, outputs, target.settings
    )
    return packaged.package(target.directory, target.stage, merged, folder, progress.line)


def _deploy_bucket(account: Account) -> None:
    """Create or update the bucket that CloudFormation fetches from."""
    progress.heading(f"stack {artifacts.STACK} in {account}")
    _deploy_stack(
        Stack(account.client("cloudformation"), artifacts.STACK),
        _named(artifacts.stack_template(), account),
    )


def _fetchable(
    planned: PlannedStack, outputs: Mapping[str, str], account: Account
) -> StackTemplate:
    """Return the stack's template with its inputs, and what it needs in the bucket."""
    inputs = dict(outputs)
    for key, content in planned.artifacts.items():
        artifacts.put(account, key, content)
    if planned.artifacts:
        inputs[parts.ARTIFACT_BUCKET] = artifacts.bucket_name(account)
    template = _named(planned.with_inputs(inputs), account)
    return template if template.fits_a_request else artifacts.with_url(account, template)


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


def _plan(target: Target, *, per_operation: bool) -> int:
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
        elif planned.needs_bucket and not _has_bucket(account):
            progress.line(f"it needs the bucket of the stack {artifacts.STACK}, made before it:")
            changes = stack.imagine(planned.template)
        else:
            # The files are named by their content: to put one there changes nothing that runs.
            change_set = stack.propose(_fetchable(planned, outputs, account))
            stack.discard(change_set)
            changes = change_set.changes
        for change in changes:
            (progress.warning if change.matters else progress.line)(str(change))
        if not changes:
            progress.line("no changes")
        changed = changed or bool(changes)
        outputs = stack.outputs()
    if per_operation:
        changed = _plan_functions(Account.of(), target, outputs) or changed
    elif target.part.chalice:
        progress.heading(
            f"then `chalice deploy --stage {target.stage}` would package and deploy the functions"
        )
    return EXIT_CHANGES if changed else 0


def _has_bucket(account: Account) -> bool:
    return Stack(account.client("cloudformation"), artifacts.STACK).outputs() is not None


def _plan_functions(account: Account, target: Target, outputs: Mapping[str, str] | None) -> bool:
    progress.heading(f"stack {target.functions_stack} in {account}")
    if not outputs or not packaged.is_recorded(target.directory, target.stage):
        progress.line("its functions need the stack before, which is not there yet")
        return True
    with tempfile.TemporaryDirectory() as folder:
        made = _package(target, outputs, Path(folder))
        # The file is not uploaded: a change set does not look at it.
        code = artifacts.location(account, made.code)
    stack = _functions_stack(account, target)
    change_set = stack.propose(made.template(stack.name, code, target.stacks[0].template.tags))
    stack.discard(change_set)
    for change in change_set.changes:
        (progress.warning if change.matters else progress.line)(str(change))
    if not change_set.changes:
        progress.line("no changes")
    return bool(change_set.changes)


def _delete(target: Target, *, confirmed: bool) -> int:
    of_app: list[Stack] = []
    stacks: list[Stack] = []
    for planned in reversed(target.stacks):
        account = Account.of(planned.profile)
        progress.heading(f"stack {planned.template.stack} in {account}")
        stack = Stack(account.client("cloudformation"), planned.template.stack)
        (of_app if planned.after_app else stacks).append(stack)
    if not confirmed and not _confirmed(target):
        progress.heading("nothing was deleted")
        return 1
    for stack in of_app:
        _delete_stack(stack)
    if target.part.chalice:
        account = Account.of()
        if target.per_operation and _functions_stack(account, target).status() is not None:
            stacks.insert(0, _functions_stack(account, target))
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
    for event in retained(stack.delete(lambda event: progress.line(str(event)))):
        progress.warning(f"retained: {event.resource_type} {event.physical_id}")


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


def _redrive(target: Target) -> int:
    planned = target.stacks[0]
    account = Account.of(planned.profile)
    progress.heading(f"failure queue of {target.part.name} at {target.stage} in {account}")
    outputs = Stack(account.client("cloudformation"), planned.template.stack).outputs()
    if outputs is None:
        raise DeployError(f"there is no stack {planned.template.stack}: deploy {target.part.name}")
    if "FailureQueueUrl" not in outputs:
        raise SettingsError(f"{target.part.name} has no failure queue")
    config = record.read_config(target.directory / ".chalice" / "config.json")
    result = redrive.redrive(
        account.client("sqs"),
        account.client("lambda"),
        outputs["FailureQueueUrl"],
        f"{config['app_name']}-{target.stage}",
        progress.line,
    )
    progress.heading(f"{result.returned} events are on their way again")
    if result.unreadable:
        raise DeployError(f"{result.unreadable} messages cannot be read and stay in the queue")
    return 0


def _confirmed(target: Target) -> bool:
    try:
        answer = input(f"Delete {target.part.name} at the stage {target.stage}? [y/N] ")
    except EOFError:
        return False
    return answer.strip().lower() in {"y", "yes"}


def _record(target: Target, outputs: dict[str, str]) -> None:
    progress.heading("outputs for Chalice")
    try:
        environment = target.module.environment(outputs) | _gateway_environment(target)
        policies = target.module.policies(outputs)
    except target.part.errors(target.module) as error:
        raise SettingsError(
            f"{target.part.name} refuses the outputs of its stack: {error}"
        ) from error
    changed = record.record(target.directory, target.stage, environment, policies)
    for path in changed:
        progress.line(f"recorded {path.relative_to(target.directory.parent)}")
    if not changed:
        progress.line("recorded already")


def _gateway_environment(target: Target) -> dict[str, str]:
    if target.gateway is None:
        return {}
    plan = GatewaySettings.of(target.settings.get("gateway", {})).usage_plan
    variables: dict[str, str] = target.gateway.environment(usage_plan=plan is not None)
    return variables


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


def _address(account: Account, rest_api_id: str, url: str) -> str:
    # The address on AWS leads nowhere behind another endpoint.
    return f"API {rest_api_id} at {account.endpoint}" if account.endpoint else url
