"""PostgreSQL from a Python package, with TLS in front."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from sandbox import certificates, postgresql
from sandbox.postgresql_tls import TlsFront


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[postgresql.Server]:
    made = postgresql.Server(tmp_path_factory.mktemp("pg") / "server", "master", "good", "shop")
    yield made
    made.remove()
    assert not made.directory.exists()


@pytest.fixture(scope="module")
def front(server: postgresql.Server) -> Iterator[TlsFront]:
    made = TlsFront(server)
    yield made
    made.close()


@pytest.fixture
def connect(front: TlsFront, tmp_path: Path) -> Any:
    authority = certificates.write_authority(tmp_path / "authority.pem")

    def connection(**changed: object) -> psycopg.Connection:
        parameters = {
            "host": "localhost",
            "port": front.port,
            "user": "master",
            "password": "good",
            "dbname": "shop",
            "sslmode": "verify-full",
            "sslrootcert": str(authority),
        }
        return psycopg.connect(**{**parameters, **changed})

    return connection


def test_the_master_user_owns_the_database_and_is_no_superuser(connect: Any) -> None:
    with connect() as connection:
        connection.execute("CREATE TABLE own (text text)")
        connection.execute("INSERT INTO own VALUES (%s)", ("x" * 500_000,))
        assert connection.execute("SELECT length(text) FROM own").fetchone() == (500_000,)
        assert connection.execute("SHOW server_version_num").fetchone() >= ("180000",)
        is_superuser = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
        assert connection.execute(is_superuser).fetchone() == (False,)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"sslmode": "disable"}, "no encryption"),
        ({"password": "bad"}, "password authentication failed"),
        ({"sslrootcert": "system"}, "certificate verify failed"),
    ],
)
def test_a_wrong_client_is_refused(connect: Any, changed: dict[str, str], reason: str) -> None:
    with pytest.raises(psycopg.OperationalError, match=reason):
        connect(**changed)


def test_after_a_crash_it_has_what_was_committed_at_the_same_address(
    server: postgresql.Server, connect: Any
) -> None:
    with connect() as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS number")
    with connect() as connection:
        server.stop(abruptly=True)
        assert server.pid is None
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError):
        connect()
    server.start()
    with connect() as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (1,)


def test_hanging_up_ends_sessions_and_not_the_server(
    server: postgresql.Server, front: TlsFront, connect: Any
) -> None:
    pid = server.pid
    with connect() as connection:
        front.hang_up()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    connect().close()
    assert server.pid == pid


def test_it_does_not_run_as_root(server: postgresql.Server) -> None:
    listed = subprocess.run(
        ["ps", "-o", "uid=", "-p", str(server.pid)], capture_output=True, text=True, check=True
    )
    assert int(listed.stdout) != 0
