"""Resource types whose making takes a while, without holding up everything else.

AWS: a stack waits for its resources; other requests are answered meanwhile.

MiniStack 1.5.33: makes resources in the event loop that answers requests, but for a list of types
that it knows to block.

The filler: adds types to that list.
"""

from __future__ import annotations

from ministack.services.cloudformation import stacks

_types: set[str] = set()
_runs_on_worker_thread = stacks._runs_on_worker_thread


def install() -> None:
    """Let the list be added to."""
    stacks._runs_on_worker_thread = runs_on_worker_thread


def add(resource_type: str) -> None:
    """Make resources of that type in a thread of their own."""
    _types.add(resource_type)


def runs_on_worker_thread(resource_type: str) -> bool:
    """Whether a resource of that type is made in a thread."""
    return resource_type in _types or bool(_runs_on_worker_thread(resource_type))
