"""Revisions: which write of an item this is, and what the next write has to know about it.

The ETag of an item is the text of its revision. A conditional write brings it back, and with it
the item's version, its time of creation and the rows of the tag index that this revision has: the
write needs no read before it. Nothing is believed on that ground alone, because the condition of
the write compares every part with what is stored
(docs/decisions/items-etag-carries-metadata.md).
"""

import base64
import binascii
import hashlib
import secrets
import struct
from collections.abc import Iterable
from dataclasses import dataclass

NONCE_BYTES = 8

_HEAD = struct.Struct(f">QI{NONCE_BYTES}s")
_TAGS = struct.Struct(">B6s8s")


@dataclass(frozen=True)
class TagRows:
    """The rows by which an item is found by its tags: how many, their mark, and of which tags.

    `generation` is random and new whenever the tags change, so that rows of different writes
    never have the same key. `digest` tells whether another list of tags is the same set.
    """

    count: int = 0
    generation: bytes = b""
    digest: bytes = b""

    @classmethod
    def of(cls, tags: Iterable[str]) -> "TagRows":
        """Return the mark of new rows, one a tag."""
        ordered = sorted(tags)
        if not ordered:
            return cls()
        return cls(len(ordered), secrets.token_bytes(6), _digest(ordered))

    @classmethod
    def unpacked(cls, packed: bytes) -> "TagRows":
        """Return the mark that `packed` is of; struct.error where it is of none."""
        return cls(*_TAGS.unpack(packed)) if packed else cls()

    @property
    def packed(self) -> bytes:
        """The mark as 15 bytes, none where there are no rows."""
        return _TAGS.pack(self.count, self.generation, self.digest) if self.count else b""

    def stands_for(self, tags: Iterable[str]) -> bool:
        """Whether these are the rows of exactly those tags, in any order."""
        ordered = sorted(tags)
        return len(ordered) == self.count and (not ordered or _digest(ordered) == self.digest)


@dataclass(frozen=True)
class Revision:
    """One write of an item: its version, counted from 1, and a nonce no other write has.

    `created` is when the item was created, in microseconds since 1970.
    """

    created: int
    version: int
    nonce: bytes
    rows: TagRows

    @classmethod
    def first(cls, created: int, tags: Iterable[str]) -> "Revision":
        """Return the revision of a new item."""
        return cls(created, 1, new_nonce(), TagRows.of(tags))

    def next(self, tags: Iterable[str] | None = None) -> "Revision":
        """Return the revision of the write after this one; `tags` None leaves the tags as is."""
        listed = None if tags is None else tuple(tags)
        rows = self.rows
        if listed is not None and not rows.stands_for(listed):
            rows = TagRows.of(listed)
        return Revision(self.created, self.version + 1, new_nonce(), rows)

    @property
    def text(self) -> str:
        """The revision as text, of the characters A-Z a-z 0-9 _ and -."""
        packed = _HEAD.pack(self.created, self.version, self.nonce) + self.rows.packed
        return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def new_nonce() -> bytes:
    """Return what tells one write from all others."""
    return secrets.token_bytes(NONCE_BYTES)


def parse_revision(text: str) -> Revision | None:
    """Return the revision a text stands for, None where it stands for none."""
    try:
        packed = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        created, version, nonce = _HEAD.unpack(packed[: _HEAD.size])
        rows = TagRows.unpacked(packed[_HEAD.size :])
    except (ValueError, binascii.Error, struct.error):
        return None
    revision = Revision(created, version, nonce, rows)
    # More than one text decodes to the same bytes; only the one given out is a revision. The last
    # version there is has no next one.
    return revision if revision.text == text and version < 2**32 - 1 else None


def revision_of(text: str) -> Revision:
    """Return the revision of a text this app has stored; ValueError where it did not."""
    revision = parse_revision(text)
    if revision is None:
        raise ValueError(f"{text!r} is no revision")
    return revision


def _digest(tags: Iterable[str]) -> bytes:
    return hashlib.sha256("\0".join(tags).encode()).digest()[:8]
