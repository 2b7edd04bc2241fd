"""A database instance or cluster whose master password RDS manages in Secrets Manager.

AWS: with ManageMasterUserPassword, RDS makes a secret with the user name and a password, gives its
ARN as the attribute MasterUserSecret.SecretArn, and deletes it with the database. Source: Amazon
RDS user guide, "Password management with Amazon RDS and AWS Secrets Manager",
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html.

MiniStack 1.5.33: ignores the property, so every master password is `password` and the attribute is
missing.

The filler: the secret, made through the emulator's Secrets Manager. The database itself stays what
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
    from collections.abc import MutableMapping

    from sandbox.gaps.resource_types import Attributes, Properties


def install() -> None:
    """Wrap the emulator's own types."""
    for kind in (
        ManagedPassword("Instance", rds._instances, "DbiResourceId"),
        ManagedPassword("Cluster", rds._clusters, "DbClusterResourceId"),
    ):
        kind.install()


class ManagedPassword:
    """The emulator's type AWS::RDS::DB<kind>, with a secret where RDS manages the password.

    `records` are the emulator's databases of that kind by identifier, `resource_id` the member of a
    record that holds RDS's own id.
    """

    def __init__(
        self, kind: str, records: MutableMapping[str, dict[str, Any]], resource_id: str
    ) -> None:
        self._kind, self._records, self._resource_id = kind, records, resource_id
        self._functions = f"_rds_db_{kind.lower()}"
        self._create = getattr(provisioners, f"{self._functions}_create")
        self._update = getattr(provisioners, f"{self._functions}_update")
        self._delete = getattr(provisioners, f"{self._functions}_delete")

    def install(self) -> None:
        """Replace the type; the emulator's update calls the other two for a replacement."""
        setattr(provisioners, f"{self._functions}_create", self.create)
        setattr(provisioners, f"{self._functions}_delete", self.delete)
        handlers = provisioners._RESOURCE_HANDLERS[f"AWS::RDS::DB{self._kind}"]
        handlers.update(create=self.create, update=self.update, delete=self.delete)

    def create(
        self, logical_id: str, properties: Properties, stack_name: str
    ) -> tuple[str, Attributes]:
        """Create the database, with a secret where RDS manages the password."""
        managed = provisioners._cfn_bool(properties.get("ManageMasterUserPassword", False))
        if not managed:
            created: tuple[str, Attributes] = self._create(logical_id, properties, stack_name)
            return created
        if properties.get("MasterUserPassword"):
            raise ValueError(
                f"You can't specify MasterUserPassword for {self._article} with "
                "ManageMasterUserPassword enabled."
            )
        password = secrets.token_urlsafe(21)
        given = {**properties, "MasterUserPassword": password}
        identifier, attributes = self._create(logical_id, given, stack_name)
        record = self._records[identifier]
        key = (properties.get("MasterUserSecret") or {}).get("KmsKeyId", "")
        record["MasterUserSecret"] = {
            "SecretArn": self._create_secret(record, password, key),
            "SecretStatus": "active",
            "KmsKeyId": key,
        }
        return identifier, attributes | secret_attribute(record)

    def update(
        self,
        identifier: str,
        old: Properties,
        new: Properties,
        stack_name: str,
        logical_id: str | None = None,
    ) -> tuple[str, Attributes]:
        """Update the database; the secret stays with it, and a replacement gets its own."""
        updated, attributes = self._update(identifier, old, new, stack_name, logical_id)
        return updated, attributes | secret_attribute(self._records[updated])

    def delete(self, identifier: str, properties: Properties) -> None:
        """Delete the database and its secret. Raises ValueError where it is protected."""
        record = self._records.get(identifier) or {}
        if record.get("DeletionProtection"):
            raise ValueError(
                f"Cannot delete protected DB {self._kind}, please disable deletion protection"
            )
        secret = record.get("MasterUserSecret")
        self._delete(identifier, properties)
        if secret:
            call(
                secretsmanager._delete_secret,
                {"SecretId": secret["SecretArn"], "ForceDeleteWithoutRecovery": True},
            )

    @property
    def _article(self) -> str:
        return {"Instance": "an instance", "Cluster": "a cluster"}[self._kind]

    def _create_secret(self, record: dict[str, Any], password: str, key: str) -> str:
        """Create the secret of a database and return its ARN."""
        request = {
            "Name": f"rds!{record[self._resource_id].lower()}",
            "Description": f"The secret associated with the primary RDS DB {self._kind.lower()}: "
            + record[f"DB{self._kind}Arn"],
            "SecretString": json.dumps(
                {"username": record["MasterUsername"], "password": password}
            ),
            **({"KmsKeyId": key} if key else {}),
        }
        return str(call(secretsmanager._create_secret, request)["ARN"])


def secret_attribute(record: dict[str, Any]) -> Attributes:
    """What GetAtt gives of the secret."""
    secret = record.get("MasterUserSecret")
    return {"MasterUserSecret.SecretArn": secret["SecretArn"]} if secret else {}


def call(operation: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Call an operation of Secrets Manager. Raises ValueError with its error."""
    status, _, body = operation(request)
    answer: dict[str, Any] = json.loads(body)
    if status >= 400:
        raise ValueError(answer.get("message") or answer.get("Message"))
    return answer
