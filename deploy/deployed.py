"""What Chalice noted about a stage it deployed, kept true.

Chalice notes what it deployed in `.chalice/deployed/<stage>.json` and believes the note. Where the
account has lost what the note names (a sandbox was reset, someone deleted an API), `chalice deploy`
1.34 creates the API and the functions again, but `chalice delete` stops at the first lost one, and
so does a deploy that has to remove one. `forget_lost` takes out of the note what the account
says it does not have. Where the note itself is lost (another machine deployed), Chalice finds the
functions and roles by name, but creates a second API; `find_api` asks the account for the first.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from deploy import record
from deploy.account import Account
from deploy.errors import DeployError, SettingsError

_NOT_FOUND = frozenset(
    {"404", "NoSuchBucket", "NoSuchEntity", "NotFoundException", "ResourceNotFoundException"}
)


@dataclass(frozen=True)
class RestApi:
    """The API of a deployed stage; `url` is its address on AWS."""

    rest_api_id: str
    url: str


def state_file(directory: Path, stage: str) -> Path:
    """Return where Chalice notes what it deployed."""
    return directory / ".chalice" / "deployed" / f"{stage}.json"


def rest_api(directory: Path, stage: str) -> RestApi | None:
    """Return the API Chalice noted for the stage, None where it deployed none."""
    for resource in _resources(state_file(directory, stage)):
        if resource["resource_type"] == "rest_api":
            return RestApi(resource["rest_api_id"], resource["rest_api_url"])
    return None


def forget_lost(account: Account, directory: Path, stage: str) -> list[str]:
    """Take out of Chalice's note what the account does not have, return the names taken out.

    The file goes when nothing in it is left.

    Raises DeployError: the note is of another account or region, so these credentials cannot tell.
    """
    path = state_file(directory, stage)
    resources = _resources(path)
    for resource in resources:
        _refuse_foreign(path, resource, account)
    lost = [resource for resource in resources if not _exists(account, resource)]
    kept = [resource for resource in resources if resource not in lost]
    if not kept:
        path.unlink(missing_ok=True)
    elif lost:
        note = json.loads(path.read_text(encoding="utf-8")) | {"resources": kept}
        _write(path, note)
    return [_name(resource) for resource in lost]


def find_api(account: Account, directory: Path, stage: str) -> str | None:
    """Note the API of the stage where Chalice's note has none, return its id where one was found.

    The API is the one that has the app's name, which is the same at every stage, and may invoke
    the stage's function.

    Raises DeployError: several APIs are such.
    """
    path = state_file(directory, stage)
    resources = _resources(path)
    if rest_api(directory, stage) is not None:
        return None
    config = record.read_config(directory / ".chalice" / "config.json")
    found = _apis_of(account, config["app_name"], stage)
    if not found:
        return None
    if len(found) > 1:
        raise DeployError(
            f"the APIs {', '.join(found)} may each invoke {config['app_name']}-{stage} and {path} "
            "does not say which one is in use: delete the others, or restore the file"
        )
    api = {
        "name": "rest_api",
        "resource_type": "rest_api",
        "rest_api_id": found[0],
        # Chalice writes the address itself when it has deployed.
        "rest_api_url": "",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, {"schema_version": "2.0", "backend": "api", "resources": [*resources, api]})
    return found[0]


def function_exists(account: Account, directory: Path, stage: str) -> bool:
    """Whether the account has the function that answers the stage's API."""
    config = record.read_config(directory / ".chalice" / "config.json")
    name = f"{config['app_name']}-{stage}"
    return _exists(account, {"resource_type": "lambda_function", "lambda_arn": name})


def _apis_of(account: Account, app_name: str, stage: str) -> list[str]:
    try:
        policy = account.client("lambda").get_policy(FunctionName=f"{app_name}-{stage}")
        policy = json.loads(policy["Policy"])
    except ClientError as error:
        if error.response["Error"]["Code"] in _NOT_FOUND:
            return []
        raise
    sources = [
        source.split(":")
        for statement in policy["Statement"]
        for operator in statement.get("Condition", {}).values()
        for key, source in operator.items()
        if key.lower() == "aws:sourcearn"
    ]
    # arn:aws:execute-api:REGION:ACCOUNT:API/STAGE/METHOD/PATH
    ids = {source[5].split("/")[0] for source in sources if source[2] == "execute-api"}
    # One that is gone can still have its permission, and one that is not Chalice's may have one.
    apis = account.client("apigateway").get_paginator("get_rest_apis").paginate()
    return sorted(
        api["id"]
        for page in apis
        for api in page["items"]
        if api["id"] in ids and api["name"] == app_name
    )


def _resources(path: Path) -> list[dict[str, Any]]:
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except ValueError as error:
        raise SettingsError(f"{path} is not JSON ({error}): restore it from a copy") from error
    resources: list[dict[str, Any]] = note["resources"]
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


def _name(resource: Mapping[str, Any]) -> str:
    for key in ("rest_api_id", "role_name", "bucket", "lambda_arn"):
        if key in resource:
            return f"{resource['resource_type']} {resource[key]}"
    return f"{resource['resource_type']} {resource['name']}"
