"""What S3 can do wrong, for `Deployed.s3_fault`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from botocore.awsrequest import AWSResponse


class _Raw:
    """The body of a made-up answer, as urllib3 would give it."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, *_arguments: Any, **_options: Any) -> Iterator[bytes]:
        yield self._body


def answer(status: int, code: str = "") -> Callable[[Any], AWSResponse]:
    """A fault: S3 answers with that status and error code."""
    body = f"<Error><Code>{code}</Code><Message>injected</Message></Error>" if code else ""
    return lambda request: AWSResponse(request.url, status, {}, _Raw(body.encode()))


def raising(error: Exception) -> Callable[[Any], None]:
    """A fault: the connection breaks."""

    def fault(_request: Any) -> None:
        raise error

    return fault
