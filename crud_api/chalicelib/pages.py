"""One page of a list, put together from the shards its index is spread over."""

from collections.abc import Iterable
from dataclasses import dataclass

from .items import Item


@dataclass(frozen=True)
class Page:
    """Items, newest first, and the position the next page begins after (None at the end)."""

    items: tuple[Item, ...]
    next: str | None


@dataclass(frozen=True, order=True)
class Entry:
    """One entry of the index: the position of an item, and the key of the row it was found by."""

    position: str
    row: str

    @property
    def item_id(self) -> str:
        """The ID of the item."""
        return self.position.partition("#")[2]


def newest(found: Iterable[Iterable[Entry]], limit: int) -> tuple[list[Entry], str | None]:
    """Return the newest `limit` entries of all shards, and the position to go on after.

    Of each shard `found` has the newest `limit + 1` entries, or all there are. So the newest
    `limit` of them are the newest of the list, and one more says that there are more.
    """
    entries = sorted((entry for shard in found for entry in shard), reverse=True)
    page = entries[:limit]
    return page, page[-1].position if len(entries) > limit else None
