"""What a target receives from an EventBridge rule that has an input transformer.

Source: Amazon EventBridge user guide, "Amazon EventBridge input transformation",
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_PIECE = re.compile(r'"|\\.|<(\w[\w.-]*)>')


def render(paths: Mapping[str, str], template: str, event: Mapping[str, Any]) -> str:
    """Put the values at `paths` in place of the `<variables>` of the template.

    A variable outside of quotes becomes JSON, one inside of quotes becomes bare text.

    Raises KeyError: a variable has no path, or the event has nothing there.
    """
    inside = False

    def replace(found: re.Match[str]) -> str:
        nonlocal inside
        if found[0] == '"':
            inside = not inside
            return '"'
        if found[1] is None:
            return found[0]
        value = _at(event, paths[found[1]])
        return str(value) if inside and isinstance(value, str) else json.dumps(value)

    return _PIECE.sub(replace, template)


def _at(event: Mapping[str, Any], path: str) -> Any:
    value: Any = event
    for name in path.removeprefix("$.").split("."):
        value = value[name]
    return value
