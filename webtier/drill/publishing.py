"""Whether a service may publish to a topic, as far as the policies of topic and key say.

Conditions are not looked at: what they compare is known when something is published.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PUBLISH = ("sns:Publish",)
USE_KEY = ("kms:Decrypt", "kms:GenerateDataKey")
"""What a service needs of a topic and, where it is encrypted, of its key.

Amazon SNS Developer Guide, "Managing Amazon SNS encryption keys and costs".
"""


def allows(documents: Iterable[Mapping[str, Any]], service: str, actions: Iterable[str]) -> bool:
    """Whether policy documents allow a service all of these actions."""
    statements = [
        statement
        for document in documents
        for statement in _listed(document.get("Statement", []))
        if statement.get("Effect") == "Allow" and _is_for(statement.get("Principal"), service)
    ]
    return all(
        any(_names(statement.get("Action", []), action) for statement in statements)
        for action in actions
    )


def _is_for(principal: Any, service: str) -> bool:
    if isinstance(principal, dict):
        return service in _listed(principal.get("Service", [])) or principal.get("AWS") == "*"
    return bool(principal == "*")


def _names(patterns: Any, action: str) -> bool:
    return any(fnmatchcase(action.lower(), str(one).lower()) for one in _listed(patterns))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
