"""Requests of the sandbox count as sent over TLS.

AWS: `aws:SecureTransport` is true of a request over TLS and of what services send each other, so a
policy that denies everything else keeps out plain HTTP. Source: AWS IAM user guide, "AWS global
condition context keys",
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html.

MiniStack 1.5.33: evaluates the key truly, but serves plain HTTP, and takes deliveries between
services for plain HTTP as well: every bucket, queue and topic with such a policy is closed.

The filler: the key is always true. On a loopback address there is no transport to secure; that the
policies exist and are right is what the templates' tests show.
"""

from __future__ import annotations

from contextvars import ContextVar

from ministack import app
from ministack.core import iam_evaluator


def install() -> None:
    """Let requests, and work that no request started, count as secure."""
    iam_evaluator._request_origin = ContextVar("request_origin", default=("127.0.0.1", True))
    app.pin_request_origin = pin_secure_origin


def pin_secure_origin(source_ip: str, _secure_transport: bool) -> None:
    """Remember where the running request comes from."""
    iam_evaluator._request_origin.set((source_ip, True))
