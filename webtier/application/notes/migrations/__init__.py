"""Brings the schema up to date: numbered files of SQL, each applied once, in one transaction.

During a rolling update the old version of the application works on the new schema. A migration
must therefore only add; what the old version needs is removed by a later release.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psycopg

DIRECTORY = Path(__file__).resolve().parent
# Any number, the same in every instance: PostgreSQL knows advisory locks by number only.
_LOCK = 7_305_807_211


def available(directory: Path = DIRECTORY) -> dict[int, Path]:
    """The files by number, in order. Raises ValueError where two have the same number."""
    found: dict[int, Path] = {}
    for path in sorted(directory.glob("*.sql")):
        number = int(path.name.partition("_")[0])
        if number in found:
            raise ValueError(f"{found[number].name} and {path.name} have the same number")
        found[number] = path
    return dict(sorted(found.items()))


def migrate(connection: psycopg.Connection, directory: Path = DIRECTORY) -> list[str]:
    """Apply what the database lacks, and return the names of those files.

    Instances that start together wait for each other. Raises psycopg.Error, with nothing applied.
    """
    applied = []
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations ("
            "number integer PRIMARY KEY, name text NOT NULL, "
            "applied_at timestamptz NOT NULL DEFAULT now())"
        )
        done = {number for (number,) in connection.execute("SELECT number FROM migrations")}
        for number, path in available(directory).items():
            if number in done:
                continue
            connection.execute(path.read_bytes())
            connection.execute(
                "INSERT INTO migrations (number, name) VALUES (%s, %s)", (number, path.name)
            )
            applied.append(path.name)
    return applied
