"""A database instance whose master password RDS manages in Secrets Manager.

AWS: with ManageMasterUserPassword, RDS makes a secret with the user name and a password, gives its
ARN as the attribute MasterUserSecret.SecretArn, and deletes it with the instance. Source: Amazon
RDS user guide, "Password management with Amazon RDS and AWS Secrets Manager",
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html.

MiniStack 1.5.33: ignores the property, so every master password is `password` and the attribute is
missing.

The filler: the secret, made through the emulator's Secrets Manager. The instance itself stays what
the emulator makes of it: a record with an endpoint behind which no database runs. The password is
never rotated.
"""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

from ministack.services import rds, secretsmanager
from ministack.services.cloudformation import provisioners

if TYPE_CHECKING:
    from sandbox.gaps.resource_types import Attributes, Properties

_create = provisioners._rds_db_instance_create
_update = provisioners._rds_db_instance_update
_delete = provisioners._rds_db_instance_delete


def install() -> None:
    """Wrap the emulator's own type; its update calls the other two for a replacement."""
    provisioners._rds_db_instance_create = create
    provisioners._rds_db_instance_delete = delete
    handlers = provisioners._RESOURCE_HANDLERS["AWS::RDS::DBInstance"]
    handlers.update(create=create, update=update, delete=delete)


def create(logical_id: str, properties: Properties, stack_name: str) -> tuple[str, Attributes]:
    """Create the instance, with a secret where RDS manages the password."""
    managed = provisioners._cfn_bool(properties.get("ManageMasterUserPassword", False))
    if not managed:
        created: tuple[str, Attributes] = _create(logical_id, properties, stack_name)
        return created
    if properties.get("MasterUserPassword"):
        raise ValueError(
            "You can't specify MasterUserPassword for an instance with ManageMasterUserPassword "
            "enabled."
        )
    password = secrets.token_urlsafe(21)
    given = {**properties, "MasterUserPassword": password}
    identifier, attributes = _create(logical_id, given, stack_name)
    instance = rds._instances[identifier]
    key = (properties.get("MasterUserSecret") or {}).get("KmsKeyId", "")
    instance["MasterUserSecret"] = {
        "SecretArn": create_secret(instance, password, key),
        "SecretStatus": "active",
        "KmsKeyId": key,
    }
    return identifier, attributes | secret_attribute(instance)


def update(
    identifier: str,
    old: Properties,
    new: Properties,
    stack_name: str,
    logical_id: str | None = None,
) -> tuple[str, Attributes]:
    """Update the instance; the secret stays with it, and a replacement gets its own."""
    updated, attributes = _update(identifier, old, new, stack_name, logical_id)
    return updated, attributes | secret_attribute(rds._instances[updated])


def delete(identifier: str, properties: Properties) -> None:
    """Delete the instance and its secret. Raises ValueError where it is protected."""
    instance = rds._instances.get(identifier) or {}
    if instance.get("DeletionProtection"):
        raise ValueError("Cannot delete protected DB Instance, please disable deletion protection")
    secret = instance.get("MasterUserSecret")
    _delete(identifier, properties)
    if secret:
        call(
            secretsmanager._delete_secret,
            {"SecretId": secret["SecretArn"], "ForceDeleteWithoutRecovery": True},
        )


def create_secret(instance: dict[str, Any], password: str, key: str) -> str:
    """Create the secret of an instance and return its ARN."""
    request = {
        "Name": f"rds!{instance['DbiResourceId'].lower()}",
        "Description": "The secret associated with the primary RDS DB instance: "
        + instance["DBInstanceArn"],
        "SecretString": json.dumps({"username": instance["MasterUsername"], "password": password}),
        **({"KmsKeyId": key} if key else {}),
    }
    return str(call(secretsmanager._create_secret, request)["ARN"])


def secret_attribute(instance: dict[str, Any]) -> Attributes:
    """What GetAtt gives of the secret."""
    secret = instance.get("MasterUserSecret")
    return {"MasterUserSecret.SecretArn": secret["SecretArn"]} if secret else {}


def call(operation: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Call an operation of Secrets Manager. Raises ValueError with its error."""
    status, _, body = operation(request)
    answer: dict[str, Any] = json.loads(body)
    if status >= 400:
        raise ValueError(answer.get("message") or answer.get("Message"))
    return answer
