"""What Chalice noted about a stage it deployed, kept beside the stack and kept true.

Chalice notes what it deployed in `.chalice/deployed/<stage>.json` and believes the note. Each
deployment begins with the note that the one before left in the account, on whatever machine, and
then compares it with the account, for that one may have been cut off before it wrote anything:

- `forget_lost` takes out what the account has lost (a sandbox was reset, someone deleted an API):
  `chalice delete` 1.34 stops at the first such thing, and so does a deploy that has to remove one;
- `adopt` adds what the account has and the note has not. Chalice then updates it, or deletes it
  where the app has it no more; without the note it would create a second API.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from deploy.account import Account
from deploy.discovery import Discovery
from deploy.errors import DeployError, SettingsError

_NOT_FOUND = frozenset(
    {"404", "NoSuchBucket", "NoSuchEntity", "NotFoundException", "ResourceNotFoundException"}
)
# The order in which Chalice makes them; it deletes in the opposite one.
_ORDER = ("iam_role", "lambda_function", "s3_event", "rest_api")


@dataclass(frozen=True)
class RestApi:
    """The API of a deployed stage; `url` is its address on AWS."""

    rest_api_id: str
    url: str


def state_file(directory: Path, stage: str) -> Path:
    """Return where Chalice notes what it deployed."""
    return directory / ".chalice" / "deployed" / f"{stage}.json"


def read(directory: Path, stage: str) -> dict[str, Any] | None:
    """Return Chalice's note, None where there is none. Raises SettingsError: it is not JSON."""
    path = state_file(directory, stage)
    try:
        note: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise SettingsError(f"{path} is not JSON ({error}): delete it") from error
    return note


def restore(directory: Path, stage: str, note: Mapping[str, Any] | None) -> bool:
    """Make `note`, if there is one, Chalice's note of the stage; return whether that changed it.

    Half a note, which Chalice leaves where it is cut off while it writes, is taken away.
    """
    path = state_file(directory, stage)
    try:
        current = read(directory, stage)
    except SettingsError:
        current = None
        path.unlink()
    if note is None or current == note:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, note)
    return True


def rest_api(directory: Path, stage: str) -> RestApi | None:
    """Return the API Chalice noted for the stage, None where it deployed none."""
    for resource in _resources(directory, stage):
        if resource["resource_type"] == "rest_api":
            return RestApi(resource["rest_api_id"], resource["rest_api_url"])
    return None


def refuse_foreign(account: Account, directory: Path, stage: str) -> None:
    """Raise DeployError where Chalice's note is of another account or region."""
    path = state_file(directory, stage)
    try:
        resources = _resources(directory, stage)
    except SettingsError:
        return
    for resource in resources:
        _refuse_foreign(path, resource, account)


def forget_lost(account: Account, directory: Path, stage: str) -> list[str]:
    """Take out of Chalice's note what the account does not have, return the names taken out.

    The file goes when nothing in it is left.
    """
    path = state_file(directory, stage)
    resources = _resources(directory, stage)
    lost = [resource for resource in resources if not _exists(account, resource)]
    kept = [resource for resource in resources if resource not in lost]
    if not kept:
        path.unlink(missing_ok=True)
    elif lost:
        _write(path, {**(read(directory, stage) or {}), "resources": kept})
    return [_name(resource) for resource in lost]


def adopt(account: Account, directory: Path, stage: str, app_name: str) -> list[str]:
    """Add to Chalice's note what the account has of the stage, return the names added.

    A second API that never answered anything is deleted: nobody can know its address.

    Raises DeployError: several APIs answer, and the note does not say which one is in use.
    """
    noted = _resources(directory, stage)
    identities = {_identity(resource) for resource in noted}
    discovery = Discovery(account, app_name, stage)
    found = [
        resource for resource in discovery.resources() if _identity(resource) not in identities
    ]
    if api := _find_api(account, discovery, rest_api(directory, stage)):
        found.append(
            {
                "name": "rest_api",
                "resource_type": "rest_api",
                "rest_api_id": api,
                # Chalice writes the address itself when it has deployed.
                "rest_api_url": "",
            }
        )
    if found:
        path = state_file(directory, stage)
        path.parent.mkdir(parents=True, exist_ok=True)
        resources = sorted([*noted, *found], key=_rank)
        _write(path, {"schema_version": "2.0", "backend": "api", "resources": resources})
    return [_name(resource) for resource in found]


def _find_api(account: Account, discovery: Discovery, noted: RestApi | None) -> str | None:
    """Return the API that is in use where none is noted, delete what a cut-off left beside it."""
    apis = discovery.apis()
    in_use = [
        api.rest_api_id
        for api in apis
        if (noted.rest_api_id == api.rest_api_id if noted else api.is_deployed)
    ]
    if not in_use:
        in_use = [api.rest_api_id for api in apis[:1]]
    if len(in_use) > 1:
        raise DeployError(
            f"the APIs {', '.join(sorted(in_use))} all lead to the same function and nothing says "
            "which one is in use: delete the others with "
            "aws apigateway delete-rest-api --rest-api-id ID"
        )
    for api in apis:
        if not api.is_deployed and api.rest_api_id not in in_use:
            account.client("apigateway").delete_rest_api(restApiId=api.rest_api_id)
    return in_use[0] if in_use and noted is None else None


def _resources(directory: Path, stage: str) -> list[dict[str, Any]]:
    note = read(directory, stage)
    resources: list[dict[str, Any]] = note["resources"] if note else []
    return resources


def _write(path: Path, note: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(note, indent=2) + "\n", encoding="utf-8")


def _refuse_foreign(path: Path, resource: Mapping[str, Any], account: Account) -> None:
    arn = str(resource.get("lambda_arn", ""))
    if not arn:
        return
    _, _, _, region, account_id, *_ = arn.split(":")
    if (account_id, region) != (account.account_id, account.region):
        raise DeployError(
            f"{path} is of account {account_id} in {region}, the credentials are of "
            f"{account.account_id} in {account.region}: use those of {account_id}, "
            "or move the file away"
        )


def _exists(account: Account, resource: Mapping[str, Any]) -> bool:
    try:
        match resource["resource_type"]:
            case "rest_api":
                account.client("apigateway").get_rest_api(restApiId=resource["rest_api_id"])
            case "lambda_function":
                account.client("lambda").get_function_configuration(
                    FunctionName=resource["lambda_arn"]
                )
            case "iam_role":
                account.client("iam").get_role(RoleName=resource["role_name"])
            case "s3_event":
                account.client("s3").head_bucket(Bucket=resource["bucket"])
            case _:
                return True
    except ClientError as error:
        if error.response["Error"]["Code"] in _NOT_FOUND:
            return False
        raise
    return True


def _rank(resource: Mapping[str, Any]) -> int:
    kind = resource["resource_type"]
    return _ORDER.index(kind) if kind in _ORDER else len(_ORDER)


def _identity(resource: Mapping[str, Any]) -> tuple[str, ...]:
    keys = ("rest_api_id", "role_name", "bucket", "lambda_arn")
    return (resource["resource_type"], *(str(resource.get(key, "")) for key in keys))


def _name(resource: Mapping[str, Any]) -> str:
    for key in ("rest_api_id", "role_name", "bucket", "lambda_arn"):
        if key in resource:
            return f"{resource['resource_type']} {resource[key]}"
    return f"{resource['resource_type']} {resource['name']}"
