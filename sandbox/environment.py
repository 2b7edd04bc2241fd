"""The accounts of the sandbox and the settings that make AWS tools talk to it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

REGION = "us-east-1"
WORKLOAD_ACCOUNT = "111111111111"
MONITORING_ACCOUNT = "222222222222"
SECRET_ACCESS_KEY = "sandbox"  # noqa: S105 - any would do: nothing listens beyond this machine
ACCOUNTS = {"workload": WORKLOAD_ACCOUNT, "monitoring": MONITORING_ACCOUNT}

# AWS tools read these first. One left over from the user's shell would override what the sandbox
# says: https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-envvars.html
CONFLICTING = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_CA_BUNDLE")


def variables(endpoint: str, directory: Path) -> dict[str, str]:
    """Environment variables for boto3, the AWS CLI and Chalice, as the workload account.

    The embedded AWS takes a 12-digit access key id for the account of that number, so the
    credentials are no secret.
    """
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": WORKLOAD_ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_CONFIG_FILE": str(directory / "aws" / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(directory / "aws" / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_PAGER": "",
    }


def environment(base: Mapping[str, str], endpoint: str, directory: Path) -> dict[str, str]:
    """`base` with the sandbox's variables in place of whatever AWS settings it had."""
    kept = {name: value for name, value in base.items() if name not in CONFLICTING}
    return kept | variables(endpoint, directory)


def exports(endpoint: str, directory: Path) -> str:
    """The same as shell commands, for `eval "$(python -m sandbox env)"`."""
    lines = [f"unset {' '.join(CONFLICTING)}"]
    lines += [
        f"export {name}={shlex.quote(value)}"
        for name, value in variables(endpoint, directory).items()
    ]
    return "\n".join(lines)


def write_profiles(endpoint: str, directory: Path) -> None:
    """Write the AWS profiles `workload` and `monitoring`, one for each account.

    Format: AWS CLI user guide, "Configuration and credential file settings".
    """
    folder = directory / "aws"
    folder.mkdir(parents=True, exist_ok=True)
    config = [
        f"[profile {name}]\nregion = {REGION}\nendpoint_url = {endpoint}\n" for name in ACCOUNTS
    ]
    credentials = [
        f"[{name}]\naws_access_key_id = {account}\naws_secret_access_key = {SECRET_ACCESS_KEY}\n"
        for name, account in ACCOUNTS.items()
    ]
    (folder / "config").write_text("\n".join(config))
    (folder / "credentials").write_text("\n".join(credentials))
