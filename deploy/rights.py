"""IAM rights as plain values, so that the policies of before and after can be compared.

Source: AWS IAM User Guide, "IAM JSON policy elements reference".
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Document = Mapping[str, Any]


@dataclass(frozen=True, order=True)
class Right:
    """What one statement allows or denies, for one action and one resource.

    `holder` is the function, or the resource of the template, that the policy belongs to.
    `principal` is empty in the policy of a role. `resource` and `condition` are as in the template.
    """

    holder: str
    effect: str
    action: str
    resource: str = ""
    principal: str = ""
    condition: str = ""

    @property
    def denies(self) -> bool:
        """Whether it takes a right away."""
        return self.effect == "Deny"

    def __str__(self) -> str:
        text = f"{self.holder}: {self.effect.lower()} {self.action}"
        if self.principal:
            text += f" to {self.principal}"
        if self.resource:
            text += f" on {self.resource}"
        return f"{text} if {self.condition}" if self.condition else text


@dataclass(frozen=True)
class RightsChange:
    """The rights that a deployment would add and remove."""

    added: tuple[Right, ...] = ()
    removed: tuple[Right, ...] = ()

    @classmethod
    def between(cls, before: Iterable[Right], after: Iterable[Right]) -> "RightsChange":
        """Compare two sets of rights."""
        old, new = set(before), set(after)
        return cls(tuple(sorted(new - old)), tuple(sorted(old - new)))

    def __bool__(self) -> bool:
        return bool(self.added or self.removed)


def of_document(holder: str, document: Document) -> Iterator[Right]:
    """Return the rights in a policy document; it may have intrinsic functions in it."""
    for statement, condition in _statements(document["Statement"]):
        conditions = [condition] if condition else []
        if "Condition" in statement:
            conditions.append(_text(statement["Condition"]))
        for action in _texts(statement, "Action"):
            for resource in _texts(statement, "Resource") or [""]:
                for principal in _principals(statement):
                    yield Right(
                        holder,
                        statement.get("Effect", ""),
                        action,
                        resource,
                        principal,
                        " and ".join(conditions),
                    )


def of_template(document: Document) -> Iterator[Right]:
    """Return the rights in all policies of a template, each held by its logical ID."""
    for logical_id, resource in document.get("Resources", {}).items():
        properties = resource.get("Properties", {})
        for policy in _documents(properties):
            yield from of_document(logical_id, policy)
        for arn in properties.get("ManagedPolicyArns", ()):
            yield Right(logical_id, "Allow", f"what {_text(arn)} allows")
        if resource["Type"] == "AWS::Lambda::Permission":
            yield Right(
                logical_id,
                "Allow",
                _text(properties.get("Action", "")),
                _text(properties.get("FunctionName", "")),
                _text(properties.get("Principal", "")),
                _text(properties.get("SourceArn", "")),
            )


def _documents(value: Any) -> Iterator[Document]:
    """Find the policy documents in a resource's properties, wherever they are."""
    match value:
        case {"Statement": _}:
            yield value
        case dict():
            for inner in value.values():
                yield from _documents(inner)
        case list():
            for inner in value:
                yield from _documents(inner)


def _statements(value: Any, condition: str = "") -> Iterator[tuple[Document, str]]:
    """Return each statement with the condition of the template that it depends on."""
    match value:
        case list():
            for inner in value:
                yield from _statements(inner, condition)
        case {"Fn::If": [name, yes, no]}:
            yield from _statements(yes, f"{name}")
            yield from _statements(no, f"not {name}")
        case {"Effect": _}:
            yield value, condition


def _texts(statement: Document, key: str) -> list[str]:
    for name, prefix in ((key, ""), (f"Not{key}", "anything but ")):
        if name in statement:
            value = statement[name]
            return [f"{prefix}{_text(each)}" for each in _list(value)]
    return []


def _principals(statement: Document) -> list[str]:
    value = statement.get("Principal", statement.get("NotPrincipal"))
    if value is None:
        return [""]
    prefix = "anyone but " if "NotPrincipal" in statement else ""
    if isinstance(value, dict) and not any(key.startswith("Fn::") for key in value):
        return [f"{prefix}{_text(each)}" for inner in value.values() for each in _list(inner)]
    return [f"{prefix}{_text(value)}"]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _text(value: object) -> str:
    """Write a value of a template in one line, its references as in Fn::Sub."""
    match value:
        case str():
            return value
        case {"Ref": str(name)}:
            return f"${{{name}}}"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"${{{name}.{attribute}}}"
        case {"Fn::GetAtt": str(name)}:
            return f"${{{name}}}"
        case {"Fn::Sub": str(text)}:
            return text
        case {"Fn::Join": [str(separator), list(parts)]}:
            return separator.join(_text(part) for part in parts)
        case _:
            return json.dumps(value, sort_keys=True)
