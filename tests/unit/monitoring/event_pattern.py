"""What an EventBridge rule's pattern matches, for the operators the rules here use.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html
"""

from __future__ import annotations

from typing import Any


def matches(pattern: dict[str, Any], event: dict[str, Any]) -> bool:
    """Whether the event has, for every key of the pattern, one of the values it lists."""
    return all(
        key in event
        and (
            matches(expected, event[key])
            if isinstance(expected, dict)
            else any(_value_matches(one, event[key]) for one in expected)
        )
        for key, expected in pattern.items()
    )


def _value_matches(expected: Any, value: Any) -> bool:
    if not isinstance(expected, dict):
        return bool(expected == value)
    ((operator, operand),) = expected.items()
    if operator != "prefix":
        raise NotImplementedError(f"the operator {operator!r}")
    return isinstance(value, str) and value.startswith(operand)
