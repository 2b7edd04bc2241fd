"""What a deployment would change, as plain values: for people and as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy.changes import Change
from deploy.rights import Right, RightsChange

EXIT_CHANGES = 2
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class StackPlan:
    """The changes of one stack. `note` says what they could not be taken from, where that is so."""

    stack: str
    account: str
    region: str
    changes: tuple[Change, ...]
    rights: RightsChange
    note: str = ""

    def __bool__(self) -> bool:
        return bool(self.changes)

    def to_json(self) -> dict[str, Any]:
        """Return the stack's part of the document."""
        return {
            "stack": self.stack,
            "account": self.account,
            "region": self.region,
            "note": self.note,
            "changes": [
                {
                    "action": change.action,
                    "logical_id": change.logical_id,
                    "type": change.resource_type,
                    "replacement": change.replacement,
                    "properties": list(change.properties),
                    "endangers_data": change.endangers_data,
                }
                for change in self.changes
            ],
            "rights": _rights(self.rights),
        }


@dataclass(frozen=True)
class FunctionPlan:
    """The changes of one function: `action` is add, change or remove.

    `settings` are the values before and after, of those that change. `variables` are names of
    environment variables by what happens to them: added, changed, removed.
    """

    function: str
    action: str
    settings: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    variables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    code_changes: bool = False
    code_bytes: tuple[int | None, int | None] = (None, None)

    def to_json(self) -> dict[str, Any]:
        """Return the function's part of the document."""
        return {
            "function": self.function,
            "action": self.action,
            "settings": {name: list(values) for name, values in self.settings.items()},
            "environment": {kind: list(names) for kind, names in self.variables.items()},
            "code": {"changes": self.code_changes, "bytes": list(self.code_bytes)},
        }


@dataclass(frozen=True)
class AppPlan:
    """The changes of a Chalice app.

    `routes` are the authorization before and after, None where there is no such route, of those
    that change; so are `events`, pairs of bucket and function, by whether they are added.
    `gateway` are the settings of the API that change.
    """

    functions: tuple[FunctionPlan, ...]
    routes: Mapping[str, tuple[str | None, str | None]]
    events: Mapping[tuple[str, str], bool]
    rights: RightsChange
    gateway: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.functions or self.routes or self.events or self.rights or self.gateway)

    def to_json(self) -> dict[str, Any]:
        """Return the app's part of the document."""
        return {
            "functions": [function.to_json() for function in self.functions],
            "routes": [
                {"route": route, "authorization": list(values)}
                for route, values in self.routes.items()
            ],
            "events": [
                {"bucket": bucket, "function": function, "action": "add" if added else "remove"}
                for (bucket, function), added in self.events.items()
            ],
            "rights": _rights(self.rights),
            "gateway": list(self.gateway),
        }


@dataclass(frozen=True)
class Plan:
    """What a deployment of a part at a stage would change. `app` is None where it has none."""

    part: str
    stage: str
    stacks: tuple[StackPlan, ...]
    app: AppPlan | None = None

    def __bool__(self) -> bool:
        return any(self.stacks) or bool(self.app)

    @property
    def exit_code(self) -> int:
        """The exit status of the command."""
        return EXIT_CHANGES if self else 0

    def to_json(self) -> dict[str, Any]:
        """Return the document of `--plan --json`; docs/deploy.md describes it."""
        return {
            "schema_version": SCHEMA_VERSION,
            "part": self.part,
            "stage": self.stage,
            "changes": bool(self),
            "stacks": [stack.to_json() for stack in self.stacks],
            "app": None if self.app is None else self.app.to_json(),
        }


def _rights(rights: RightsChange) -> dict[str, Any]:
    return {
        "added": [_right(right) for right in rights.added],
        "removed": [_right(right) for right in rights.removed],
    }


def _right(right: Right) -> dict[str, str]:
    return {
        "holder": right.holder,
        "effect": right.effect,
        "action": right.action,
        "resource": right.resource,
        "principal": right.principal,
        "condition": right.condition,
    }
