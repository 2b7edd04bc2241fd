"""One page of the list, put together from the shards its index is spread over."""

from collections.abc import Iterable
from dataclasses import dataclass

from .items import Item

SHARDS = 4
"""Partitions of the list index. The number may be raised, never lowered: readers ask every shard,
so items written under a smaller number stay listed (docs/decisions/items-key-design.md)."""


@dataclass(frozen=True)
class Page:
    """Items, newest first, and the position the next page begins after (None at the end)."""

    items: tuple[Item, ...]
    next: str | None


def merge(found: Iterable[Item], unfinished: Iterable[str], limit: int) -> Page:
    """Return the newest `limit` of the items found in all shards.

    `unfinished` has, for each shard not read to its end, the position up to which it was read.
    Beyond the newest of these positions another shard's item may be missing, so the page ends
    there at the latest and may hold fewer items than `limit`.
    """
    frontier = max(unfinished, default=None)
    complete = sorted(
        (item for item in found if frontier is None or item.position >= frontier),
        key=lambda item: item.position,
        reverse=True,
    )
    if len(complete) > limit:
        return Page(tuple(complete[:limit]), complete[limit - 1].position)
    return Page(tuple(complete), frontier)
