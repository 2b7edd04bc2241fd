"""The script an instance runs at its first boot: it installs and starts the application."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from troposphere import Base64, Region, StackName, Sub

if TYPE_CHECKING:
    from collections.abc import Mapping

INSTANCE = Path(__file__).resolve().parent / "instance"
UNIT = "/etc/systemd/system/webtier.service"
_END = "END-OF-FILE"


@dataclass(frozen=True)
class Settings:
    """What the script is told of the stack. Values may be CloudFormation functions.

    Attributes:
        resource: the logical id that waits to hear of its success.
        group, hook: the Auto Scaling group, and its hook that waits until the application answers.
        target_group: the ARN of the target group that the group registers the instance with.
        bucket, key, sha256: where the artifact is, and its checksum.
        port: the TCP port that the application listens on.
        health_path: the path that answers 200 on an instance that is well.
        database_host, database_port, database_name, database_secret_arn: the database.

    """

    resource: str
    group: Any
    hook: str
    target_group: Any
    bucket: Any
    key: Any
    sha256: Any
    port: int
    health_path: str
    database_host: Any
    database_port: Any
    database_name: str
    database_secret_arn: Any

    def variables(self) -> dict[str, Any]:
        """The variables of the script."""
        return {
            "RESOURCE": self.resource,
            "STACK": StackName,
            "REGION": Region,
            "GROUP": self.group,
            "HOOK": self.hook,
            "TARGET_GROUP": self.target_group,
            "BUCKET": self.bucket,
            "KEY": self.key,
            "SHA256": self.sha256,
            "PORT": str(self.port),
            "HEALTH_PATH": self.health_path,
            "PGHOST": self.database_host,
            "PGPORT": self.database_port,
            "PGDATABASE": self.database_name,
            "DATABASE_SECRET_ARN": self.database_secret_arn,
        }


def encoded(settings: Settings) -> Base64:
    """The script as `UserData`."""
    variables = settings.variables()
    # A name in Fn::Sub has letters and digits only.
    names = {name: name.title().replace("_", "") for name in variables}
    text = script({name: f"${{{names[name]}}}" for name in variables})
    return Base64(Sub(text, **{names[name]: value for name, value in variables.items()}))


def script(variables: Mapping[str, str]) -> str:
    """The script with those variables, as Fn::Sub takes it.

    The values are put between single quotes; none of AWS's names has one.
    """
    settings = "".join(f"{name}='{value}'\n" for name, value in variables.items())
    # `${!` is how Fn::Sub is told to leave a `${` of the script alone.
    return f"#!/bin/bash\n{settings}\n" + installation().replace("${", "${!")


def installation() -> str:
    """The script without its settings: it writes the unit, then installs and starts.

    Raises ValueError for a unit that contains the line which marks its end.
    """
    unit = (INSTANCE / "webtier.service").read_text(encoding="utf-8")
    if _END in unit.splitlines():
        raise ValueError(f"webtier.service contains the line {_END}, which marks its end")
    install = (INSTANCE / "install.sh").read_text(encoding="utf-8")
    return f"install -D -m 0644 /dev/stdin {UNIT} <<'{_END}'\n{unit}{_END}\n\n{install}"
