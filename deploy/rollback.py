"""Deploy an earlier release of a Chalice part again, and list the releases."""

import tempfile
import time
from pathlib import Path

from deploy import app, packaged, parts, progress, stacks
from deploy.account import Account
from deploy.deployment import locked
from deploy.errors import DeployError, SettingsError
from deploy.parts import Part
from deploy.releases import Release, unpack
from deploy.stack import Stack
from deploy.state import StageState, StateStore
from deploy.target import Target


def show_versions(part: Part, stage: str, root: Path) -> int:
    """Print the releases of the part at the stage, the newest first; return the exit status."""
    account = _account(part, stage, root)
    state = StateStore(account, part.name, stage).read()
    progress.heading(f"versions of {part.name} at the stage {stage} in {account}")
    for release in reversed(state.releases):
        progress.line(f"{'*' if release.version == state.current else ' '} {release}")
    if not state.releases:
        progress.line("there are none: deploy it first")
    return 0


def rollback(part: Part, stage: str, root: Path, version: int | None) -> int:
    """Deploy the release of this version again, by default the one before; return the exit status.

    The stack with the data stays as it is; the app of the release gets its outputs of now.
    """
    started = time.monotonic()
    account = _account(part, stage, root)
    with locked(account, part.name, stage), tempfile.TemporaryDirectory() as folder:
        state = StateStore(account, part.name, stage).read()
        release = _chosen(state, part, stage, version)
        release.refuse_unless_reproducible()
        progress.heading(f"{part.name} at the stage {stage} goes back to version {release}")
        directory = Path(folder) / part.name
        config = packaged.stage_config(root / part.name, stage)
        unpack(account, release, directory, config.get("lambda_architecture", "x86_64"))
        address = _deploy(account, Target.of(part, stage, Path(folder)), release)
    progress.heading(
        f"{part.name} is at version {release.version} ({time.monotonic() - started:.1f} s)"
    )
    if address:
        progress.line(address)
    return 0


def _deploy(account: Account, target: Target, release: Release) -> str:
    outputs: dict[str, str] = {}
    for planned in target.stacks:
        if not planned.after_app:
            stack = Stack(account.client("cloudformation"), planned.template.stack)
            outputs = stack.outputs() or {}
            if not outputs:
                raise DeployError(
                    f"the stack {stack.name} is not complete: deploy {target.part.name} first"
                )
    app.refuse_elsewhere(account, target, per_operation=release.per_operation)
    app.record_outputs(account, target, outputs)
    deploy = app.deploy_functions if release.per_operation else app.deploy_app
    address = deploy(account, target, outputs)
    for planned in target.stacks:
        if planned.after_app:
            outputs = stacks.deploy_planned(account, planned, outputs)
    return address


def _account(part: Part, stage: str, root: Path) -> Account:
    if not part.chalice:
        raise SettingsError(
            f"{part.name} has no app to roll back: check the earlier commit out and deploy it"
        )
    account = Account.of()
    account.refuse_unless_at(
        parts.place(parts.stage_settings(root / part.name / "stages.toml", stage))
    )
    return account


def _chosen(state: StageState, part: Part, stage: str, version: int | None) -> Release:
    known = {release.version: release for release in state.releases}
    if version is None:
        version = max((each for each in known if each < (state.current or 0)), default=None)
    if version not in known:
        names = ", ".join(str(each) for each in known) or "none"
        raise SettingsError(
            f"{part.name} has no {'earlier version' if version is None else f'version {version}'} "
            f"at the stage {stage}: its versions are {names}, the current one is {state.current}"
        )
    return known[version]
