"""An event loop in a thread of its own, for the servers that run beside the embedded AWS."""

from __future__ import annotations

import asyncio
import functools
import threading
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")

TIMEOUT = 30.0


@functools.cache
def loop() -> asyncio.AbstractEventLoop:
    """The loop, running; it ends with the process."""
    made = asyncio.new_event_loop()
    threading.Thread(target=made.run_forever, name="background", daemon=True).start()
    return made


def run(work: Coroutine[Any, Any, T]) -> T:
    """Do the work in that loop and return what it returns; the caller is another thread."""
    return asyncio.run_coroutine_threadsafe(work, loop()).result(TIMEOUT)
