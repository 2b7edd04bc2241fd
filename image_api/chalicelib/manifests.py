"""The manifest: the one object that says how the processing of an image ended.

It is written after the renditions it lists, so a reader sees all of them or none. It holds no time
and no request id: processing the same upload twice writes the same bytes.

Until there is such a result, its place is taken by a note of the attempts at it. Each is noted
before its work begins, so that one that ends without a word (killed, out of memory) counts too.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

# How often Lambda invokes `process` for one event: the retries of resources.py, and once before.
INVOCATIONS = 3
# When Lambda has given up an event for certain, in seconds after the upload: its age in
# resources.py, and the time of the last attempts.
GIVEN_UP_AFTER = 6 * 3600 + 900

Status = Literal["ready", "rejected", "attempted"]


@dataclass(frozen=True)
class Source:
    """The upload as its header describes it; the size in pixels is that of the upright picture."""

    media_type: str
    width: int
    height: int


@dataclass(frozen=True)
class StoredRendition:
    """A rendition in the destination bucket, under `key`."""

    preset: str
    format: str
    media_type: str
    width: int
    height: int
    bytes: int
    key: str


@dataclass(frozen=True)
class Origin:
    """What a manifest was made from.

    `version` is the upload's version id, or its entity tag where the bucket has no versions.
    `sequencer` is that of the event that led to it, and `presets` the digest of the presets.
    """

    version: str
    sequencer: str
    presets: str


@dataclass(frozen=True)
class Manifest:
    """How processing ended: "ready" with renditions, or "rejected" with a problem.

    Or "attempted": that many `attempts` began and none has succeeded. The latest one ends by
    `running_until` (seconds since 1970) at the latest; 0 where it has ended.
    """

    status: Status
    origin: Origin
    source: Source | None
    renditions: tuple[StoredRendition, ...]
    problem: dict[str, Any] | None
    attempts: int = 0
    running_until: float = 0

    def is_result_of(self, version: str) -> bool:
        """Tell whether this is what became of a version of the upload, with whatever presets."""
        return self.status != "attempted" and self.origin.version == version

    def is_attempt_at(self, version: str) -> bool:
        """Tell whether this notes attempts at a version of the upload."""
        return self.status == "attempted" and self.origin.version == version

    def to_json(self) -> bytes:
        """Return the manifest as JSON, the same bytes for equal manifests."""
        return json.dumps(asdict(self), separators=(",", ":"), sort_keys=True).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Manifest:
        """Return the manifest written by `to_json`."""
        members = json.loads(data)
        source = members["source"]
        return cls(
            status=members["status"],
            origin=Origin(**members["origin"]),
            source=Source(**source) if source else None,
            renditions=tuple(StoredRendition(**rendition) for rendition in members["renditions"]),
            problem=members["problem"],
            attempts=members["attempts"],
            running_until=members["running_until"],
        )


def ready(origin: Origin, source: Source, renditions: tuple[StoredRendition, ...]) -> Manifest:
    """Return the manifest of an image whose renditions are all stored."""
    return Manifest("ready", origin, source, renditions, None)


def rejected(origin: Origin, problem: dict[str, Any]) -> Manifest:
    """Return the manifest of an upload that cannot become renditions."""
    return Manifest("rejected", origin, None, (), problem)


def attempted(origin: Origin, attempts: int, running_until: float) -> Manifest:
    """Return the note of attempts at an upload."""
    return Manifest("attempted", origin, None, (), None, attempts, running_until)
