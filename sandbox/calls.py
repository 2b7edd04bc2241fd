"""A record of every request that IAM decides on: which role asked for which action, and was it let.

It is off unless the server is started with a file for it (`emulator.start(record=…)`). Each line of
the file is one decision as JSON. Requests of an account's root are left out: no policy decides on
them. `sandbox.privilege` holds a record against the policies of the roles.
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any, TextIO

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id

from sandbox.gaps import permissions

if TYPE_CHECKING:
    from pathlib import Path

_enforce = iam_evaluator.enforce
_role_allows = permissions.role_allows


def install(path: Path) -> None:
    """Write what IAM decides from now on to the file at `path`.

    Call it before the gap fillers are installed: some of them ask IAM once more, for the key.
    """
    record = Record(path.open("a", encoding="utf-8"))

    def enforce(
        access_key_id: str,
        iam_action: str,
        service: str,
        region: str,
        resource_arn: str = "*",
        service_context: dict[str, Any] | None = None,
    ) -> Any:
        denied = _enforce(access_key_id, iam_action, service, region, resource_arn, service_context)
        principal = iam_evaluator.resolve_principal(access_key_id or "", get_account_id())
        if isinstance(principal, iam_evaluator.PrincipalInfo) and principal.policies is not None:
            record.add(
                principal=principal.arn,
                action=iam_action,
                resource=resource_arn,
                region=region,
                context=service_context or {},
                principal_keys=principal.keys,
                allowed=denied is None,
            )
        return denied

    def role_allows(
        role_arn: str, action: str, resource_arn: str, context: dict[str, Any] | None = None
    ) -> bool:
        allowed = _role_allows(role_arn, action, resource_arn, context)
        record.add(
            principal=role_arn,
            action=action,
            resource=resource_arn,
            region="",
            context=context or {},
            principal_keys={},
            allowed=allowed,
        )
        return allowed

    iam_evaluator.enforce = enforce
    permissions.role_allows = role_allows


class Record:
    """Appends decisions to a file, from any thread."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._lock = threading.Lock()

    def add(self, **decision: object) -> None:
        """Write one decision."""
        line = json.dumps(decision, default=str)
        with self._lock:
            self._file.write(line + "\n")
            self._file.flush()
