"""The resources of an emitted template, and a count of those that no picture shows."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from monitoring.cloudformation import Document

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

# The stage whose policies are committed: a function's rights are then told of the very names here.
STAGE = "local"
_ACCOUNT, _REGION = "111111111111", "us-east-1"


class Resources:
    """What a template would create as the part's stack of the stage STAGE.

    Parameters that have neither a value nor a default keep their names.

    Raises FileNotFoundError where there is no such template.
    """

    def __init__(self, path: Path, values: Mapping[str, Any] | None = None) -> None:
        body = json.loads(path.read_text(encoding="utf-8"))
        stack = f"{path.stem.replace('_', '-')}-{STAGE}"
        self.document = Document(
            body,
            {
                "AWS::StackName": stack,
                "AWS::StackId": f"arn:aws:cloudformation:{_REGION}:{_ACCOUNT}:stack/{stack}/0-0",
                "AWS::AccountId": _ACCOUNT,
                "AWS::Region": _REGION,
            }
            | {
                name: parameter.get("Default", f"${{{name}}}")
                for name, parameter in body.get("Parameters", {}).items()
            }
            | dict(values or {}),
        )
        self._undrawn = {key: kind for key, kind, _ in self.document.resources()}

    def of(self, kind: str) -> dict[str, dict[str, Any]]:
        """The properties of every resource of a type, by logical id, to be drawn or told of."""
        found = {}
        for key, other, _ in self.document.resources():
            if other == f"AWS::{kind}":
                self._undrawn.pop(key, None)
                found[key] = self.document.properties(key)
        return found

    def referred(self, logical_id: str, *path: str) -> list[str]:
        """The logical ids that a resource's properties, or the one at `path`, refer to."""
        found: Any = self.document.body["Resources"][logical_id]["Properties"]
        for member in path:
            found = found.get(member, {}) if isinstance(found, dict) else {}
        return list(dict.fromkeys(_references(found)))

    def folded(self) -> Counter[str]:
        """How many resources no picture has asked for, by type without `AWS::`."""
        return Counter(kind.removeprefix("AWS::") for kind in self._undrawn.values())


def _references(value: Any) -> Iterator[str]:
    match value:
        case {"Ref": str(name)}:
            yield name
        case {"Fn::GetAtt": [str(name), _]}:
            yield name
        case {"Fn::GetAtt": str(text)}:
            yield text.split(".", 1)[0]
        case dict():
            for item in value.values():
                yield from _references(item)
        case list():
            for item in value:
                yield from _references(item)
        case _:
            pass
