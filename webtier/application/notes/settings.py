"""What the environment says: where the database is, and which instance this is.

The database's place is told by libpq's own variables (PGHOST, PGPORT, PGDATABASE, PGSSLROOTCERT …),
so that psql finds it in the same way.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# AWS's certificate authorities of RDS databases, beside this package.
RDS_CERTIFICATES = Path(__file__).resolve().parent.parent / "rds-ca.pem"


@dataclass(frozen=True)
class Settings:
    """The settings of one process.

    Attributes:
        secret_arn: the secret with `username` and `password`; "" to sign in as libpq's variables
            and files say.
        certificates: the file of certificate authorities that vouch for the database; "" to leave
            that to libpq's variables.
        instance: the id of the instance, by default the host's name.
        zone: its availability zone.
        version: what tells one release from another, by default "development".

    """

    secret_arn: str = ""
    certificates: str = ""
    instance: str = "localhost"
    zone: str = "no zone"
    version: str = "development"

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """The settings that the environment gives."""
        own_certificates = {"PGSSLROOTCERT", "PGSSLMODE"} & environment.keys()
        return cls(
            secret_arn=environment.get("DATABASE_SECRET_ARN", ""),
            certificates="" if own_certificates else str(RDS_CERTIFICATES),
            instance=environment.get("INSTANCE_ID") or socket.gethostname(),
            zone=environment.get("AVAILABILITY_ZONE") or cls.zone,
            version=environment.get("APPLICATION_VERSION") or cls.version,
        )
