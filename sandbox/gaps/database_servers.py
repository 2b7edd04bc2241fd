"""PostgreSQL instances that run, restart and fail over.

AWS: an instance has an endpoint behind which its engine answers, over TLS alone where its settings
force it. A reboot ends the sessions; one with failover brings the other zone's standby up under the
same name, in one to two minutes. Source: Amazon RDS user guide, "Rebooting a DB instance",
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_RebootInstance.html.

MiniStack 1.5.33: an instance of CloudFormation is a record whose endpoint leads nowhere.

The filler: a PostgreSQL server of this machine (`sandbox.postgresql`) behind TLS
(`sandbox.postgresql_tls`), on a port of its own of `localhost`. A failover is an abrupt end and a
new start, its two minutes divided by the scale of alarm periods; there is no second server. Other
engines, replicas and clusters stay records.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ministack.services import rds
from ministack.services.cloudformation import provisioners

from sandbox import postgresql
from sandbox.gaps import blocking_types, database_events
from sandbox.postgresql_tls import TlsFront

if TYPE_CHECKING:
    from sandbox.gaps.resource_types import Attributes, Properties

TYPE = "AWS::RDS::DBInstance"
HOST = "localhost"
FAILOVER_SECONDS = 120.0
# A PostgreSQL that belongs to something else than itself.
_OF_OTHERS = ("DBClusterIdentifier", "SourceDBInstanceIdentifier", "DBSnapshotIdentifier")

_reboot = rds._reboot_db_instance
_finish_reboot = rds._finish_instance_reboot


@dataclass(frozen=True)
class Running:
    """The server of an instance and what stands in front of it."""

    server: postgresql.Server
    front: TlsFront

    def remove(self) -> None:
        """Stop both and remove the data."""
        self.front.close()
        self.server.remove()


# By the instances' ARNs.
_running: dict[str, Running] = {}
_failing_over: set[str] = set()
_wrapped: dict[str, Any] = {}
_scale = 1.0


def install(*, period_scale: float) -> None:
    """Wrap the type as it is now; its update calls the other two for a replacement.

    Times are divided by `period_scale`.
    """
    global _scale
    _scale = period_scale
    handlers = provisioners._RESOURCE_HANDLERS[TYPE]
    _wrapped.update(handlers)
    provisioners._rds_db_instance_create = create
    provisioners._rds_db_instance_delete = delete
    handlers.update(create=create, update=update, delete=delete)
    blocking_types.add(TYPE)
    rds._ACTION_MAP["RebootDBInstance"] = reboot
    rds._finish_instance_reboot = finish_reboot


def reset() -> None:
    """Stop every server and forget it."""
    while _running:
        _running.popitem()[1].remove()


def create(logical_id: str, properties: Properties, stack_name: str) -> tuple[str, Attributes]:
    """Create the instance and start it. Raises ValueError where it does not start."""
    identifier, attributes = _wrapped["create"](logical_id, properties, stack_name)
    if properties.get("Engine") == "postgres" and not any(map(properties.get, _OF_OTHERS)):
        instance = rds._instances[identifier]
        start(instance, properties.get("DBName") or "postgres-application")
        attributes = attributes | provisioners._rds_db_instance_attrs(instance)
    return identifier, attributes


def start(instance: dict[str, Any], database: str) -> None:
    """Start the instance's server, and let the endpoint lead to it. Raises ValueError."""
    try:
        server = postgresql.Server(
            Path(tempfile.gettempdir()) / instance["DbiResourceId"].lower(),
            instance["MasterUsername"],
            instance["_MasterUserPassword"],
            database,
        )
    except postgresql.PostgresqlError as error:
        raise ValueError(str(error)) from error
    front = TlsFront(server)
    _running[instance["DBInstanceArn"]] = Running(server, front)
    instance["Endpoint"].update(Address=HOST, Port=front.port)


def update(
    identifier: str,
    old: Properties,
    new: Properties,
    stack_name: str,
    logical_id: str | None = None,
) -> tuple[str, Attributes]:
    """Update the instance; the server stays with it, and a replacement gets its own."""
    endpoint = dict(rds._instances.get(identifier, {}).get("Endpoint", {}))
    updated, attributes = _wrapped["update"](identifier, old, new, stack_name, logical_id)
    instance = rds._instances[updated]
    if updated == identifier and instance["DBInstanceArn"] in _running:
        instance["Endpoint"].update(endpoint)
        attributes = attributes | provisioners._rds_db_instance_attrs(instance)
    return updated, attributes


def delete(identifier: str, properties: Properties) -> None:
    """Delete the instance and its server. Raises ValueError where it is protected."""
    arn = (rds._instances.get(identifier) or {}).get("DBInstanceArn", "")
    _wrapped["delete"](identifier, properties)
    if running := _running.pop(arn, None):
        running.remove()


def reboot(parameters: dict[str, Any]) -> Any:
    """Begin a reboot; remember whether it is to be by failover."""
    instance = rds._resolve_instance(rds._p(parameters, "DBInstanceIdentifier"))
    by_failover = rds._p(parameters, "ForceFailover") == "true"
    if by_failover and instance:
        if not instance.get("MultiAZ"):
            return rds._error(
                "InvalidParameterCombination",
                "Cannot force a failover of an instance that is not Multi-AZ.",
                400,
            )
        _failing_over.add(instance["DBInstanceArn"])
    return _reboot(parameters)


def finish_reboot(instance: dict[str, Any], cluster: object) -> None:
    """Stop the server and start it again, then let the emulator call it available."""
    arn = instance["DBInstanceArn"]
    by_failover = arn in _failing_over
    _failing_over.discard(arn)
    if by_failover:
        database_events.record_failover(instance, database_events.STARTED)
    if running := _running.get(arn):
        running.server.stop(abruptly=by_failover)
        running.front.hang_up()
        if by_failover:
            time.sleep(FAILOVER_SECONDS / _scale)
        if arn in _running:
            running.server.start()
    if by_failover:
        database_events.record_failover(instance, database_events.COMPLETED)
    _finish_reboot(instance, cluster)
