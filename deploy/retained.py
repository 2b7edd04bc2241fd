"""The data that a deleted stack leaves in the account, and how to be rid of it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from deploy.account import Account
from deploy.template import NAMES, StackTemplate

_NOT_FOUND = frozenset({"404", "NoSuchBucket", "NotFoundException", "ResourceNotFoundException"})


@dataclass(frozen=True, order=True)
class Retained:
    """A resource that stays when its stack is deleted."""

    resource_type: str
    physical_id: str

    def __str__(self) -> str:
        return f"{self.resource_type} {self.physical_id}"

    @property
    def holds_data(self) -> bool:
        """Whether it is data of the stage, which `delete` can be told of.

        What else a stack leaves is shared with others, such as the role API Gateway logs with.
        """
        return self.resource_type in _KINDS


def in_template(template: StackTemplate) -> list[Retained]:
    """Return what the stack would leave, as far as its names are known; names written out."""
    return [
        Retained(resource["Type"], resource["Properties"][name])
        for resource in template.document["Resources"].values()
        if resource.get("DeletionPolicy") == "Retain"
        and (name := NAMES.get(resource["Type"])) is not None
        and isinstance(resource.get("Properties", {}).get(name), str)
    ]


def existing(account: Account, found: Iterable[Retained]) -> list[Retained]:
    """Return those with data that the account has, each once."""
    return [each for each in sorted(set(found)) if each.holds_data and _exists(account, each)]


def delete(account: Account, retained: Retained) -> str:
    """Delete the resource and what is in it; return how long and how it can be had back."""
    kind = _KINDS[retained.resource_type]
    return kind.delete(account.client(kind.service), retained.physical_id)


def _exists(account: Account, retained: Retained) -> bool:
    kind = _KINDS[retained.resource_type]
    try:
        return kind.look(account.client(kind.service), retained.physical_id)
    except ClientError as error:
        if error.response["Error"]["Code"] in _NOT_FOUND:
            return False
        raise


@dataclass(frozen=True)
class _Kind:
    """How to look for, and to delete, what is of one type."""

    service: str
    look: Callable[[Any, str], bool]
    delete: Callable[[Any, str], str]


def _has_table(client: Any, name: str) -> bool:
    return bool(client.describe_table(TableName=name))


def _delete_table(client: Any, name: str) -> str:
    if client.describe_table(TableName=name)["Table"].get("DeletionProtectionEnabled"):
        client.update_table(TableName=name, DeletionProtectionEnabled=False)
        client.get_waiter("table_exists").wait(TableName=name)
    client.delete_table(TableName=name)
    return ""


def _has_bucket(client: Any, name: str) -> bool:
    return bool(client.head_bucket(Bucket=name))


def _delete_bucket(client: Any, name: str) -> str:
    for page in client.get_paginator("list_object_versions").paginate(Bucket=name):
        objects = [
            {"Key": each["Key"], "VersionId": each["VersionId"]}
            for each in [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        ]
        if objects:
            client.delete_objects(Bucket=name, Delete={"Objects": objects, "Quiet": True})
    client.delete_bucket(Bucket=name)
    return ""


def _has_log_group(client: Any, name: str) -> bool:
    groups = client.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return any(group["logGroupName"] == name for group in groups)


def _delete_log_group(client: Any, name: str) -> str:
    client.delete_log_group(logGroupName=name)
    return ""


def _has_secret(client: Any, name: str) -> bool:
    return "DeletedDate" not in client.describe_secret(SecretId=name)


def _delete_secret(client: Any, name: str) -> str:
    until = client.delete_secret(SecretId=name)["DeletionDate"]
    return f"until {until:%Y-%m-%d}: aws secretsmanager restore-secret --secret-id {name}"


def _has_key(client: Any, name: str) -> bool:
    return bool(client.describe_key(KeyId=name)["KeyMetadata"]["KeyState"] != "PendingDeletion")


def _delete_key(client: Any, name: str) -> str:
    until = client.schedule_key_deletion(KeyId=name)["DeletionDate"]
    return f"until {until:%Y-%m-%d}: aws kms cancel-key-deletion --key-id {name}"


_KINDS: Mapping[str, _Kind] = {
    "AWS::DynamoDB::Table": _Kind("dynamodb", _has_table, _delete_table),
    "AWS::KMS::Key": _Kind("kms", _has_key, _delete_key),
    "AWS::Logs::LogGroup": _Kind("logs", _has_log_group, _delete_log_group),
    "AWS::S3::Bucket": _Kind("s3", _has_bucket, _delete_bucket),
    "AWS::SecretsManager::Secret": _Kind("secretsmanager", _has_secret, _delete_secret),
}
