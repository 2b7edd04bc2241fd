"""Least privilege, both ways: what roles may do, held against what they were recorded doing.

A right is one action on one resource of one statement, so that a statement with two actions on two
resources has four to prove. Pure: policies and record come in as values.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Right:
    """One action on one resource that a statement allows a role.

    `place` is the index of the statement in its policy, `sid` its name.
    """

    role: str
    policy: str
    place: int
    sid: str
    action: str
    resource: str
    condition: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        return f"{self.role}, statement {self.sid}: {self.action} on {self.resource}"

    def allows(self, call: Call) -> bool:
        """Whether this right alone lets the call through."""
        if call.role != self.role or call.action.lower() != self.action.lower():
            return False
        statement = {
            "Effect": "Allow",
            "Action": self.action,
            "Resource": self.resource,
            "Condition": dict(self.condition),
        }
        context = EvalContext(
            principal_arn=call.principal,
            principal_type="AssumedRole",
            principal_account=call.principal.split(":")[4],
            action=call.action,
            resource_arn=call.resource,
            region=call.region,
            secure_transport=True,
            service_context={key.lower(): value for key, value in call.context.items()},
            principal_keys=dict(call.principal_keys),
        )
        parsed = parse_policy_document({"Statement": [statement]})
        return bool(evaluate(context, [parsed]).decision == "Allow")


@dataclass(frozen=True)
class Call:
    """A recorded decision of IAM: `principal` is the ARN of the role or of its session."""

    principal: str
    action: str
    resource: str
    allowed: bool
    region: str = ""
    context: Mapping[str, Any] = field(default_factory=dict, hash=False)
    principal_keys: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def role(self) -> str:
        """The role as `ACCOUNT:NAME`; an IAM user is `ACCOUNT:user/NAME`."""
        parts = self.principal.split(":")
        kind, _, name = parts[5].partition("/")
        if kind == "assumed-role":
            name = name.split("/")[0]
        return f"{parts[4]}:{name if kind != 'user' else parts[5]}"

    def __str__(self) -> str:
        return f"{self.role}: {self.action} on {self.resource}"


@dataclass(frozen=True)
class Excuse:
    """Why a right may go unused here. `role`, `action` are patterns as in `fnmatch`.

    `role` is matched with the role's name, without the account.
    """

    role: str
    action: str
    reason: str

    def covers(self, right: Right) -> bool:
        """Whether the excuse is for this right."""
        name = right.role.partition(":")[2]
        return fnmatchcase(name, self.role) and fnmatchcase(right.action, self.action)


def calls_of(lines: Iterable[str]) -> list[Call]:
    """Read the lines of a record, each decision once."""
    return [Call(**json.loads(line)) for line in dict.fromkeys(lines) if line.strip()]


def rights_of(role: str, policies: Mapping[str, Document]) -> list[Right]:
    """Return the rights that a role's policies give; `policies` are keyed by their names."""
    return [
        Right(
            role,
            name,
            place,
            statement.get("Sid", str(place)),
            action,
            resource,
            statement.get("Condition", {}),
        )
        for name, document in policies.items()
        for place, statement in enumerate(_listed(document["Statement"]))
        if statement["Effect"] == "Allow"
        for action in _listed(statement["Action"])
        for resource in _listed(statement["Resource"])
    ]


def without(document: Document, right: Right) -> dict[str, Any]:
    """Return the policy document with one right less: the other rights of its statement stay."""
    statements: list[dict[str, Any]] = []
    for place, statement in enumerate(_listed(document["Statement"])):
        if place != right.place:
            statements.append(statement)
            continue
        actions, resources = _listed(statement["Action"]), _listed(statement["Resource"])
        for kept_actions, kept_resources in (
            ([action for action in actions if action != right.action], resources),
            ([right.action], [resource for resource in resources if resource != right.resource]),
        ):
            if kept_actions and kept_resources:
                kept = {**statement, "Action": kept_actions, "Resource": kept_resources}
                kept.pop("Sid", None)
                statements.append(kept)
    return {**document, "Statement": statements}


def findings(
    rights: Sequence[Right], calls: Sequence[Call], excuses: Sequence[Excuse]
) -> list[str]:
    """Return what is wrong, one line each: a call that was refused, a right that nothing used.

    An excuse that excuses nothing, because the right is gone or used, is wrong, too.
    """
    by_action: dict[str, list[Call]] = defaultdict(list)
    for call in calls:
        if call.allowed:
            by_action[call.action.lower()].append(call)
    found = [f"missing permission: {call}" for call in calls if not call.allowed]
    idle: set[Excuse] = set(excuses)
    for right in rights:
        if any(right.allows(call) for call in by_action[right.action.lower()]):
            continue
        reasons = [excuse for excuse in excuses if excuse.covers(right)]
        idle -= set(reasons)
        if not reasons:
            found.append(f"nothing used: {right}. Take it out of the policy, or use it in a test")
    found += [
        f"stale excuse: {excuse.action} of {excuse.role} ({excuse.reason}): nothing is unused"
        for excuse in excuses
        if excuse in idle
    ]
    return found


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
