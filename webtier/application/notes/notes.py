"""Notes in PostgreSQL. Functions take an open connection; whoever gives it ends the transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg.rows import class_row

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    import psycopg

MAX_LENGTH = 2000
PAGE_SIZE = 20
_COLUMNS = "id, text, version, created_at, updated_at"


class InvalidNoteError(ValueError):
    """A text that is no note; the message is for the person who wrote it."""


class ConflictError(Exception):
    """Somebody else changed the note meanwhile; `current` is what it is now."""

    def __init__(self, current: Note) -> None:
        super().__init__(f"note {current.id} is at version {current.version}")
        self.current = current


@dataclass(frozen=True)
class Note:
    """A note. `version` counts its changes, starting with 1."""

    id: UUID
    text: str
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Page:
    """Some notes, newest first; `older` is the last one's id where there are more."""

    notes: list[Note]
    older: UUID | None


def cleaned(text: str) -> str:
    """The text as it is kept: line ends as LF, without blank ends. Raises InvalidNoteError."""
    kept = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if not kept:
        raise InvalidNoteError("Write something first.")
    if len(kept) > MAX_LENGTH:
        raise InvalidNoteError(
            f"A note has at most {MAX_LENGTH:,} characters; this one has {len(kept):,}."
        )
    if "\0" in kept:
        raise InvalidNoteError("A note cannot contain the character NUL.")
    return kept


def newest(connection: psycopg.Connection, after: UUID | None = None) -> Page:
    """The newest notes, or those older than the note `after`."""
    with connection.cursor(row_factory=class_row(Note)) as cursor:
        cursor.execute(
            f"SELECT {_COLUMNS} FROM notes"  # noqa: S608 - a constant
            " WHERE %(after)s::uuid IS NULL OR (created_at, id) <"
            " (SELECT created_at, id FROM notes WHERE id = %(after)s)"
            " ORDER BY created_at DESC, id DESC LIMIT %(limit)s",
            {"after": after, "limit": PAGE_SIZE + 1},
        )
        found = cursor.fetchall()
    shown = found[:PAGE_SIZE]
    return Page(shown, shown[-1].id if len(found) > PAGE_SIZE else None)


def find(connection: psycopg.Connection, identifier: UUID) -> Note | None:
    """The note of that id."""
    with connection.cursor(row_factory=class_row(Note)) as cursor:
        cursor.execute(f"SELECT {_COLUMNS} FROM notes WHERE id = %s", (identifier,))  # noqa: S608
        return cursor.fetchone()


def add(connection: psycopg.Connection, identifier: UUID, text: str) -> None:
    """Add a note. Added again under the same id, it stays what it is."""
    connection.execute(
        "INSERT INTO notes (id, text) VALUES (%s, %s) ON CONFLICT (id) DO NOTHING",
        (identifier, text),
    )


def change(
    connection: psycopg.Connection, identifier: UUID, version: int, text: str
) -> Note | None:
    """Give the note of that version another text; None where there is no such note.

    The same change again is no conflict: its answer was lost, and it is already made.
    Raises ConflictError.
    """
    with connection.cursor(row_factory=class_row(Note)) as cursor:
        cursor.execute(
            "UPDATE notes SET text = %s, version = version + 1, updated_at = now()"  # noqa: S608
            f" WHERE id = %s AND version = %s RETURNING {_COLUMNS}",
            (text, identifier, version),
        )
        changed = cursor.fetchone()
    if changed is not None:
        return changed
    current = find(connection, identifier)
    if current is None or (current.version, current.text) == (version + 1, text):
        return current
    raise ConflictError(current)


def delete(connection: psycopg.Connection, identifier: UUID) -> None:
    """Delete the note, if it is there."""
    connection.execute("DELETE FROM notes WHERE id = %s", (identifier,))
