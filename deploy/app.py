"""The steps of a deployment that concern a Chalice app."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from deploy import artifacts, chalice, deployed, packaged, progress, record, stacks
from deploy.account import Account
from deploy.discovery import Discovery
from deploy.errors import DeployError, SettingsError
from deploy.gateway import Gateway
from deploy.state import StageState, StateStore
from deploy.target import Target


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


def deploy_app(
    account: Account, target: Target, outputs: Mapping[str, str], store: StateStore
) -> str:
    """Deploy the app by Chalice, and return what to say about its address."""
    state = restore(account, target, store)
    run_chalice(account, target, "deploy")
    store.write(StageState(deployed.read(target.directory, target.stage), etag=state.etag))
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
    with tempfile.TemporaryDirectory() as folder:
        made = package(target, outputs, Path(folder))
        code = artifacts.upload(account, made.code)
    template = made.template(stack.name, code, target.stacks[0].template.tags)
    progress.heading(f"stack {stack.name} in {account}")
    functions = stacks.deploy_stack(stack, template)
    return _address(account, functions["RestAPIId"], functions["EndpointURL"])


def package(target: Target, outputs: Mapping[str, str], folder: Path) -> packaged.Package:
    """Package the app with a function for each operation into the folder."""
    progress.heading(f"chalice package --stage {target.stage}")
    modules = (target.per_operation, target.gateway)
    merged = packaged.merge_template(
        modules, target.directory, target.stage, outputs, target.settings
    )
    return packaged.package(target.directory, target.stage, merged, folder, progress.line)


def record_outputs(target: Target, outputs: Mapping[str, str]) -> None:
    """Record the outputs of the stack where Chalice reads them."""
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


def run_chalice(account: Account, target: Target, command: str) -> None:
    """Run a command of Chalice for the stage and show its lines."""
    progress.heading(f"chalice {command} --stage {target.stage}")

    def show(text: str) -> None:
        # Chalice always prints an address on AWS; behind another endpoint it leads nowhere.
        if account.endpoint is None or "Rest API URL" not in text:
            progress.line(text)

    chalice.run(target.directory, command, target.stage, show)


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
