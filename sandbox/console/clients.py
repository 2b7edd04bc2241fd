"""boto3 clients that are made once: a page that polls would make them every second."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from sandbox import status

if TYPE_CHECKING:
    from sandbox.emulator import Emulator


@functools.cache
def client(emulator: Emulator, service: str, account: str) -> Any:
    """A boto3 client of that service as an administrator of the account."""
    return status.client(emulator, service, account)
