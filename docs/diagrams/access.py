"""What a role's policy lets it do to a resource, in words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_READS = re.compile(r":(BatchGet|Describe|Get|Head|Query|Receive|Select)")
_WRITES = re.compile(r":(BatchWrite|Create|Delete|Publish|Put|Send|Update)")


def words(policy: Mapping[str, Any], name: str) -> str:
    """Return `reads`, `writes`, `reads and writes` or nothing, for the resource of that name."""
    actions = [
        action
        for statement in policy["Statement"]
        if any(_names(arn, name) for arn in _several(statement["Resource"]))
        for action in _several(statement["Action"])
    ]
    verbs = [
        verb
        for verb, pattern in (("reads", _READS), ("writes", _WRITES))
        if any(pattern.search(action) for action in actions)
    ]
    return " and ".join(verbs)


def _names(arn: str, name: str) -> bool:
    return re.search(rf"[:/]{re.escape(name)}($|/|-\?)", arn) is not None


def _several(value: str | Iterable[str]) -> Iterable[str]:
    return (value,) if isinstance(value, str) else value
