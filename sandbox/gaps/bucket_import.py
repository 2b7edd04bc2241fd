"""A change set may take over a bucket that is there already.

AWS: with `ImportExistingResources` a change set imports a resource whose custom name is taken, and
its execution does so. Source: AWS CloudFormation user guide, "Import AWS resources into a
CloudFormation stack automatically",
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources-automatically.html.

MiniStack 1.5.33: announces the import of a bucket, but refuses it on execution, because its check
of names before the operation is not told which of them the change set imports.

The filler: tells it.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from ministack.services.cloudformation import changesets, stacks

_imports: ContextVar[frozenset[str]] = ContextVar("imports", default=frozenset())


def install() -> None:
    """Let imported buckets pass the check of names."""
    deploy, errors = changesets._deploy_stack_async, stacks._validation_errors

    async def deploy_stack(*args: Any, imports: dict[str, Any] | None = None, **more: Any) -> None:
        # A task of its own, so the variable ends with it.
        _imports.set(frozenset(imports or ()))
        await deploy(*args, imports=imports, **more)

    def validation_errors(*args: Any, **more: Any) -> list[tuple[str, ...]]:
        found: list[tuple[str, ...]] = errors(*args, **more)
        return [
            error
            for error in found
            if not (error[2] == "NAME_CONFLICT_VALIDATION" and error[0] in _imports.get())
        ]

    changesets._deploy_stack_async = deploy_stack
    stacks._validation_errors = validation_errors
