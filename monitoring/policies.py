"""Policy documents and the statements that more than one of them has."""

from __future__ import annotations

from typing import Any

Statement = dict[str, Any]


def document(*statements: Statement) -> dict[str, Any]:
    """Return a policy document of these statements."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow_service(sid: str, service: str, action: str | list[str], resource: Any) -> Statement:
    """Return the statement that lets an AWS service use a resource. Callers add the condition."""
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": action,
        "Resource": resource,
    }


def deny_without_tls(action: str, resource: Any) -> Statement:
    """Return the statement that refuses requests that do not come over TLS."""
    return {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": action,
        "Resource": resource,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def allow(sid: str, actions: list[str], resource: Any) -> Statement:
    """Return the statement that allows a role these actions on one resource or several."""
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource}
