"""A real PostgreSQL behind TLS, and its credentials in a secret of the embedded AWS."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sandbox import certificates, postgresql
from sandbox.postgresql_tls import TlsFront

if TYPE_CHECKING:
    from tests.conftest import EmbeddedAws

USER, NAME = "administrator", "webtier"


@dataclass(frozen=True)
class Database:
    """A running server, what stands in front of it, and who vouches for that."""

    server: postgresql.Server
    front: TlsFront
    password: str
    certificates: Path

    def variables(self) -> dict[str, str]:
        """libpq's variables that lead to it."""
        return {
            "PGHOST": "localhost",
            "PGPORT": str(self.front.port),
            "PGDATABASE": NAME,
            "PGSSLMODE": "verify-full",
            "PGSSLROOTCERT": str(self.certificates),
        }


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One server for a module's tests."""
    directory = tmp_path_factory.mktemp("postgresql")
    password = secrets.token_hex(8)
    server = postgresql.Server(directory / "server", USER, password, NAME)
    front = TlsFront(server)
    authority = certificates.write_authority(directory / "authority.pem")
    yield Database(server, front, password, authority)
    front.close()
    server.remove()


@pytest.fixture(scope="module")
def secret(embedded_aws: EmbeddedAws, database: Database) -> str:
    """The ARN of a secret with the credentials that the database takes."""
    text = json.dumps({"username": USER, "password": database.password})
    client = embedded_aws.client("secretsmanager")
    created = client.create_secret(Name=f"rds-{secrets.token_hex(8)}", SecretString=text)
    return str(created["ARN"])
