"""Deploy a part at a stage: its stacks and its app, one after the other."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from deploy import app, artifacts, progress, stacks
from deploy.account import Account
from deploy.errors import DeployInterruptedError
from deploy.lock import Lock
from deploy.target import Target


def deploy(target: Target, *, per_operation: bool) -> int:
    """Deploy the part, return the exit status."""
    started = time.monotonic()
    accounts = target.accounts()
    account = accounts[None]
    if target.part.chalice:
        app.refuse_elsewhere(account, target, per_operation=per_operation)
    with locked(account, target.part.name, target.stage):
        url = _deploy(accounts, target, per_operation=per_operation)
    progress.heading(f"{target.part.name} is deployed ({time.monotonic() - started:.1f} s)")
    if url:
        progress.line(url)
    return 0


@contextmanager
def locked(account: Account, part: str, stage: str) -> Iterator[None]:
    """Let nobody else deploy the part at the stage meanwhile; waits where somebody does.

    The lock is in the account's bucket, which is made where there is none.
    """
    stacks.deploy_bucket(account)
    lock = Lock(
        account.client("s3"),
        artifacts.bucket_name(account),
        f"locks/{part}/{stage}.json",
        f"{part} at the stage {stage}",
        progress.warning,
    )
    try:
        with lock:
            yield
    except KeyboardInterrupt as interrupt:
        raise DeployInterruptedError(
            f"interrupted: {part} at the stage {stage} is partly as it was before; run the same "
            "command again, on any machine, and it goes on from there"
        ) from interrupt


def _deploy(accounts: Mapping[str | None, Account], target: Target, *, per_operation: bool) -> str:
    account = accounts[None]
    outputs: dict[str, str] = {}
    for planned in target.stacks:
        if not planned.after_app:
            outputs = stacks.deploy_planned(accounts[planned.profile], planned, outputs)
    url = ""
    if target.part.chalice:
        app.record_outputs(account, target, outputs)
        if per_operation:
            url = app.deploy_functions(account, target, outputs)
        else:
            url = app.deploy_app(account, target, outputs)
    for planned in target.stacks:
        if planned.after_app:
            outputs = stacks.deploy_planned(accounts[planned.profile], planned, outputs)
    return url
