"""The steps of a deployment that concern a Chalice app."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from deploy import (
    artifacts,
    chalice,
    deployed,
    packaged,
    progress,
    record,
    releases,
    roles,
    stacks,
)
from deploy.account import Account
from deploy.discovery import Discovery
from deploy.errors import DeployError, SettingsError
from deploy.gateway import Gateway
from deploy.state import StageState, StateStore
from deploy.target import Target


class Placeholders(dict[str, str]):
    """The outputs of a stack that is not there yet, written as references to them."""

    def __init__(self, stack: str) -> None:
        super().__init__()
        self._stack = stack

    def __missing__(self, key: str) -> str:
        return f"${{{self._stack}.{key}}}"


def refuse_elsewhere(account: Account, target: Target, *, per_operation: bool) -> None:
    """Raise DeployError where the stage is deployed in another way, or in another region."""
    deployed.refuse_foreign(account, target.directory, target.stage)
    discovery = Discovery(account, target.app_name, target.stage)
    if not per_operation and target.has_function_per_operation(account):
        raise DeployError(
            f"{target.part.name} has a function per operation at the stage {target.stage}: add "
            "--per-operation, or delete it first"
        )
    if per_operation and discovery.functions():
        raise DeployError(
            f"{target.part.name} has one function for all operations at the stage "
            f"{target.stage}: delete it first (--delete keeps the data)"
        )
    if region := discovery.other_region():
        raise DeployError(
            f"{target.part.name} is deployed at the stage {target.stage} in {region}, and its "
            f"roles are the account's in all regions: make a stage of its own for {account.region}"
        )


def deploy_app(account: Account, target: Target, outputs: Mapping[str, str]) -> str:
    """Deploy the app by Chalice, and return what to say about its address."""
    store = StateStore(account, target.part.name, target.stage)
    state = restore(account, target, store)
    run_chalice(account, target, "deploy")
    for role in roles.confine(
        account.client("iam"), target.directory, target.stage, account.account_id
    ):
        progress.line(f"role {role}: for this account alone")
    state = replace(state, app=deployed.read(target.directory, target.stage))
    if package := _deployed_package(account, target):
        state = _released(account, target, state, package, per_operation=False)
    store.write(state)
    found = deployed.rest_api(target.directory, target.stage)
    if found is None:
        return ""
    if target.gateway:
        _set_gateway(account, target, found.rest_api_id, outputs)
    return _address(account, found.rest_api_id, found.url)


def restore(account: Account, target: Target, store: StateStore) -> StageState:
    """Make Chalice's note what the account says of the stage, return the state it has of it."""
    state = store.read()
    if deployed.restore(target.directory, target.stage, state.app):
        progress.heading(f"what is deployed, from {store.url}")
        progress.line(f"restored .chalice/deployed/{target.stage}.json")
    for name in deployed.forget_lost(account, target.directory, target.stage):
        progress.warning(f"the account has no {name} any more: taken out of Chalice's state")
    for name in deployed.adopt(account, target.directory, target.stage, target.app_name):
        progress.warning(f"found {name} of a deployment that was cut off: taken over")
    return state


def deploy_functions(account: Account, target: Target, outputs: Mapping[str, str]) -> str:
    """Deploy the app as a stack with a function for each operation, and say its address."""
    stack = target.functions_stack(account)
    progress.heading(f"chalice package --stage {target.stage}")
    with tempfile.TemporaryDirectory() as folder:
        made = package(target, outputs, Path(folder))
        code = artifacts.upload(account, made.code)
        template = made.template(stack.name, code, target.stacks[0].template.tags)
        progress.heading(f"stack {stack.name} in {account}")
        functions = stacks.deploy_stack(stack, template)
        store = StateStore(account, target.part.name, target.stage)
        store.write(_released(account, target, store.read(), made.code, per_operation=True))
    return _address(account, functions["RestAPIId"], functions["EndpointURL"])


def package(
    target: Target,
    outputs: Mapping[str, str],
    folder: Path,
    on_line: Callable[[str], None] = progress.line,
) -> packaged.Package:
    """Package the app with a function for each operation into the folder."""
    modules = (target.per_operation, target.gateway)
    merged = packaged.merge_template(
        modules, target.directory, target.stage, outputs, target.settings
    )
    return packaged.package(target.directory, target.stage, merged, folder, on_line)


def record_outputs(account: Account, target: Target, outputs: Mapping[str, str]) -> None:
    """Record the outputs of the stack where Chalice reads them.

    Raises DeployError or SettingsError: somebody changed a role or a policy file by hand.
    """
    progress.heading("outputs for Chalice")
    environment, policies = recordable(target, outputs)
    roles.refuse_drift(
        account.client("iam"), target.directory, target.app_name, target.stage, policies
    )
    auth = packaged.stage_config(target.directory, target.stage)["environment_variables"].get(
        "API_AUTH", "iam"
    )
    changed = record.record(
        target.directory,
        target.stage,
        environment,
        policies,
        target.gateway_settings.resource_policy(auth),
    )
    for path in changed:
        progress.line(f"recorded {path.relative_to(target.directory.parent)}")
    if not changed:
        progress.line("recorded already")


def recordable(
    target: Target, outputs: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, dict[str, Any]]]:
    """Return the environment variables, and the policies by function, that the outputs give.

    Raises SettingsError: the part refuses the outputs.
    """
    try:
        environment: dict[str, str] = {"STAGE": target.stage}
        environment |= target.module.environment(outputs) | _gateway_environment(target)
        policies: dict[str, dict[str, Any]] = target.module.policies(outputs)
    except target.part.errors(target.module) as error:
        raise SettingsError(
            f"{target.part.name} refuses the outputs of its stack: {error}"
        ) from error
    return environment, policies


def pending_gateway(
    account: Account, target: Target, rest_api_id: str, outputs: Mapping[str, str]
) -> tuple[str, ...]:
    """Return the settings of the API that a deployment would change."""
    if target.gateway is None:
        return ()
    config = packaged.stage_config(target.directory, target.stage)
    settings = target.gateway_settings
    gateway = Gateway(account.client("apigateway"), rest_api_id, config["api_gateway_stage"])
    variables = config["environment_variables"] | recordable(target, outputs)[0]
    return gateway.pending(
        target.gateway.responses(variables),
        settings.throttle,
        outputs.get("AccessLogArn"),
        target.gateway.ACCESS_LOG_FORMAT,
    )


def run_chalice(
    account: Account, target: Target, command: str, environment: Mapping[str, str] | None = None
) -> None:
    """Run a command of Chalice for the stage and show its lines.

    `environment` are variables that the app reads, where config.json may not have them.
    """
    progress.heading(f"chalice {command} --stage {target.stage}")

    def show(text: str) -> None:
        # Chalice always prints an address on AWS; behind another endpoint it leads nowhere.
        if account.endpoint is None or "Rest API URL" not in text:
            progress.line(text)

    chalice.run(target.directory, command, target.stage, show, environment=environment or {})


def _deployed_package(account: Account, target: Target) -> Path | None:
    """Return the package that the app's functions run from."""
    functions = Discovery(account, target.app_name, target.stage).configurations()
    for function in functions.values():
        return releases.find_package(target.directory, function["CodeSha256"])
    return None


def _released(
    account: Account, target: Target, state: StageState, package: Path, *, per_operation: bool
) -> StageState:
    """Return the state with what is deployed as its current release."""
    release = releases.make(account, target.directory, package, per_operation=per_operation)
    known, current = releases.with_release(state.releases, release)
    progress.line(f"version {current}")
    return replace(state, releases=known, current=current)


def _gateway_environment(target: Target) -> dict[str, str]:
    if target.gateway is None:
        return {}
    plan = target.gateway_settings.usage_plan
    variables: dict[str, str] = target.gateway.environment(usage_plan=plan is not None)
    return variables


def _set_gateway(
    account: Account, target: Target, rest_api_id: str, outputs: Mapping[str, str]
) -> None:
    progress.heading("settings of the API")
    config = packaged.stage_config(target.directory, target.stage)
    settings = target.gateway_settings
    gateway = Gateway(account.client("apigateway"), rest_api_id, config["api_gateway_stage"])
    changed = gateway.set_responses(target.gateway.responses(config["environment_variables"]))
    if changed:
        progress.line(f"{changed} gateway responses")
    log = outputs.get("AccessLogArn")
    for path in gateway.set_stage(settings.throttle, log, target.gateway.ACCESS_LOG_FORMAT):
        progress.line(path)
    if settings.usage_plan and gateway.set_usage_plan(target.name, settings.usage_plan):
        progress.line(f"usage plan {target.name}")


def _address(account: Account, rest_api_id: str, url: str) -> str:
    # The address on AWS leads nowhere behind another endpoint.
    return f"API {rest_api_id} at {account.endpoint}" if account.endpoint else url
