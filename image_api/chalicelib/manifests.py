"""The manifest: the one object that says how the processing of an image ended.

It is written after the renditions it lists, so a reader sees all of them or none. It holds no time
and no request id: processing the same upload twice writes the same bytes.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

Status = Literal["ready", "rejected"]


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
    width: int
    height: int
    bytes: int
    key: str


@dataclass(frozen=True)
class Manifest:
    """How processing ended: "ready" with renditions, or "rejected" with a problem document."""

    status: Status
    source: Source | None
    renditions: tuple[StoredRendition, ...]
    problem: dict[str, Any] | None

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
            source=Source(**source) if source else None,
            renditions=tuple(StoredRendition(**rendition) for rendition in members["renditions"]),
            problem=members["problem"],
        )


def ready(source: Source, renditions: tuple[StoredRendition, ...]) -> Manifest:
    """Return the manifest of an image whose renditions are all stored."""
    return Manifest("ready", source, renditions, None)


def rejected(problem: dict[str, Any]) -> Manifest:
    """Return the manifest of an upload that cannot become renditions."""
    return Manifest("rejected", None, (), problem)
