"""What the pattern of an EventBridge rule matches, for the operators that the rules here use.

Source: Amazon EventBridge user guide, "Amazon EventBridge event patterns",
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def matches(pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Whether the event has, for every key of the pattern, one of the values it lists.

    Raises NotImplementedError for an operator other than `prefix`, `exists` and `$or`.
    """
    return all(
        any(matches(branch, event) for branch in expected)
        if key == "$or"
        else _field_matches(key, expected, event)
        for key, expected in pattern.items()
    )


def _field_matches(key: str, expected: Any, event: Mapping[str, Any]) -> bool:
    if isinstance(expected, dict):
        inner = event.get(key, {})
        return isinstance(inner, dict) and matches(expected, inner)
    return any(_value_matches(one, key, event) for one in expected)


def _value_matches(expected: Any, key: str, event: Mapping[str, Any]) -> bool:
    if isinstance(expected, dict):
        ((operator, operand),) = expected.items()
        if operator == "exists":
            return (key in event) is operand
        if operator == "prefix":
            value = event.get(key)
            return isinstance(value, str) and value.startswith(operand)
        raise NotImplementedError(f"the operator {operator!r}")
    return key in event and bool(expected == event[key])
