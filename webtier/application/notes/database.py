"""Connections to PostgreSQL: pooled, encrypted, checked, and soon back after a failover.

A Multi-AZ failover takes a minute or two: the database closes or loses its connections, refuses
new ones, then answers from another zone under the same name. Amazon RDS user guide, "Failing over
a Multi-AZ DB instance". So connections are given up early, a request waits for one only shortly,
and the pool keeps trying.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from . import migrations, telemetry
from .credentials import ManagedSecret, SecretError, read_secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .settings import Settings

# Seconds. A request that gets no connection within the first is answered 503; for the second
# after that the next ones are, at once: threads that wait for nothing are none for health checks.
PATIENCE = 3.0
REST = 1.0
# How long a new process waits for its first connection before it takes requests.
WARM_UP = 10.0
# The pool doubles the time between its attempts up to this, then starts again with a request.
RECONNECT_LIMIT = 4.0
# Eight threads in each of two processes of up to a dozen instances stay below the database's 200.
POOL_SIZE = 4
# libpq, "Parameter Key Words". A peer that vanished without a word is noticed within ten seconds.
# After a failover the old primary may answer for a moment: it is read-only then, and refused.
CONNECTION = {
    "connect_timeout": 3,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "tcp_user_timeout": 8000,
    "target_session_attrs": "read-write",
    "application_name": "notes",
    "options": "-c statement_timeout=5s -c lock_timeout=3s"
    " -c idle_in_transaction_session_timeout=10s",
}
# The last: a session of before the failover, at what is now a replica.
_LOST = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.ReadOnlySqlTransaction)
_SIGN_IN_REFUSED = ("28P01", "28000")


class UnavailableError(Exception):
    """The database cannot be used now. What was asked may or may not have been done."""


class Database:
    """The database of one process. Nothing connects before the first use."""

    def __init__(self, settings: Settings) -> None:
        connections: type[psycopg.Connection[Any]] = psycopg.Connection
        if settings.secret_arn:
            connections = _signing_in_with(ManagedSecret(settings.secret_arn, read_secret))
        parameters: dict[str, Any] = dict(CONNECTION)
        if settings.certificates:
            parameters |= {"sslmode": "verify-full", "sslrootcert": settings.certificates}
        self._pool = ConnectionPool(
            connection_class=connections,
            kwargs=parameters,
            min_size=1,
            max_size=POOL_SIZE,
            timeout=PATIENCE,
            reconnect_timeout=RECONNECT_LIMIT,
            max_lifetime=30 * 60,
            check=ConnectionPool.check_connection,
            open=False,
            name="notes",
        )
        self._lock = threading.Lock()
        self._migrated = False
        self._resting_until = 0.0

    @contextlib.contextmanager
    def transaction(self) -> Iterator[psycopg.Connection]:
        """A connection whose transaction is committed at the end, or rolled back on an error.

        Raises UnavailableError: there is none, or it was lost on the way.
        """
        if time.monotonic() < self._resting_until:
            raise UnavailableError("the database was not reachable a moment ago")
        try:
            self._pool.open()
            with self._pool.connection() as connection:
                self._migrate(connection)
                yield connection
        except (PoolTimeout, SecretError) as error:
            self._resting_until = time.monotonic() + REST
            raise UnavailableError(str(error)) from error
        except _LOST as error:
            raise UnavailableError(str(error)) from error

    def warm_up(self) -> None:
        """Connect before there are requests, which would have to wait for it; not for ever."""
        with contextlib.suppress(PoolTimeout):
            self._pool.open(wait=True, timeout=WARM_UP)
        with contextlib.suppress(UnavailableError), self.transaction():
            pass

    def close(self) -> None:
        """Close every connection."""
        with contextlib.suppress(PoolClosed):
            self._pool.close()

    def _migrate(self, connection: psycopg.Connection) -> None:
        if self._migrated:
            return
        with self._lock:
            for name in migrations.migrate(connection):
                telemetry.event("schema migrated", migration=name)
            self._migrated = True


def _signing_in_with(secret: ManagedSecret) -> type[psycopg.Connection[Any]]:
    """The class of connections that take user and password from the secret."""

    class SignedInConnection(psycopg.Connection[Any]):
        @classmethod
        def connect(cls, conninfo: str = "", **parameters: Any) -> Any:
            credentials = secret.current()
            try:
                return super().connect(conninfo, **parameters, **credentials)
            except psycopg.OperationalError as error:
                if not _is_refused(error) or (renewed := secret.renewed(credentials)) is None:
                    raise
            telemetry.event("password renewed", user=renewed["user"])
            return super().connect(conninfo, **parameters, **renewed)

    return SignedInConnection


def _is_refused(error: psycopg.OperationalError) -> bool:
    # While connecting, libpq passes on the server's words but not always its code.
    return error.sqlstate in _SIGN_IN_REFUSED or "authentication failed" in str(error)
