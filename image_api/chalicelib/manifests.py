"""The manifest: the one object that says how the processing of an image ended.

It is written after the renditions it lists, so a reader sees all of them or none. It holds no time
and no request id: processing the same upload twice writes the same bytes.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

# How often Lambda invokes `process` for one event: the retries of resources.py, and once before.
INVOCATIONS = 3

Status = Literal["ready", "rejected", "failed"]


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
    """How processing ended: "ready" with renditions, "rejected" or "failed" with a problem.

    `attempts` counts the attempts that failed, and is 0 where one succeeded.
    """

    status: Status
    origin: Origin
    source: Source | None
    renditions: tuple[StoredRendition, ...]
    problem: dict[str, Any] | None
    attempts: int = 0

    def is_result_of(self, version: str, presets: str) -> bool:
        """Tell whether this is what becomes of a version of the upload with these presets."""
        made = self.origin.version == version and self.origin.presets == presets
        return made and self.status != "failed"

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
        )


def ready(origin: Origin, source: Source, renditions: tuple[StoredRendition, ...]) -> Manifest:
    """Return the manifest of an image whose renditions are all stored."""
    return Manifest("ready", origin, source, renditions, None)


def rejected(origin: Origin, problem: dict[str, Any]) -> Manifest:
    """Return the manifest of an upload that cannot become renditions."""
    return Manifest("rejected", origin, None, (), problem)


def failed(origin: Origin, problem: dict[str, Any], attempts: int) -> Manifest:
    """Return the manifest of an upload whose processing did not succeed, but may yet."""
    return Manifest("failed", origin, None, (), problem, attempts)
