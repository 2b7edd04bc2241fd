"""What the key design of crud_api carries, by a simulation of DynamoDB's partition limits.

    python -m benchmarks.partition_limits     the table of docs/decisions/items-key-design.md
    python -m benchmarks partition_limits     the same as ratios over a list under one key

A partition takes 1,000 write units a second ("Best practices for designing and using partition
keys effectively", Amazon DynamoDB Developer Guide). Everything that softens this limit is left out:
no burst capacity, no adaptive capacity, no split of a partition that is hot. Keys lie on partitions
as their hash falls, so two hot keys may share one. A table and an index each have twice the
partitions that the traffic needs, which is what an on-demand table has that grew into it.

A write is done where each partition it needs has the units left in this second. What an index
refuses the table refuses too ("Global secondary indexes and throttling"), and a transaction is
done whole or not at all.
"""

from __future__ import annotations

import random
from bisect import bisect
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING
from zlib import crc32

from benchmarks.ratios import Ratio, Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NAME = "partition_limits"

PARTITION_UNITS = 1_000
RATES = (1_000, 4_000, 10_000, 40_000)
SHARDS = (1, 4, 16, 64, 128)
SECONDS = 3
ITEMS = 100_000
TAGS = 1_000
TAGS_OF_ITEM = 2
EXPONENT = 1.0
"""Of the Zipf distribution: the n-th most frequent comes up 1/n as often as the first."""

SEED = 20_260_101


@dataclass(frozen=True)
class Write:
    """Units of the table and of the index that one write needs, each by key."""

    table: tuple[tuple[str, int], ...]
    index: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Traffic:
    """Writes of one kind; `make` gives one, for a number of shards."""

    name: str
    make: Callable[[random.Random, int], Write]


def zipf(count: int) -> Callable[[random.Random], int]:
    """Return a function that draws 0 to count - 1, the lower the more often."""
    weights = list(accumulate(1 / (rank + 1) ** EXPONENT for rank in range(count)))
    return lambda generator: bisect(weights, generator.random() * weights[-1])


_zipf_item = zipf(ITEMS)
_zipf_tag = zipf(TAGS)


def _create(generator: random.Random, shards: int) -> Write:
    item = f"{generator.getrandbits(122):x}"
    return Write(((item, 1),), ((_list(item, shards), 1),))


def _create_tagged(generator: random.Random, shards: int) -> Write:
    """A transaction of the item and a row a tag: two units a row, and one in the index."""
    item = f"{generator.getrandbits(122):x}"
    tags = {_zipf_tag(generator) for _ in range(TAGS_OF_ITEM)}
    rows = [f"{item}#{tag}" for tag in tags]
    lists = [_list(item, shards), *(f"{_list(item, shards)}#{tag}" for tag in tags)]
    return Write(
        tuple((key, 2) for key in (item, *rows)),
        tuple((key, 1) for key in lists),
    )


def _change(generator: random.Random, _: int) -> Write:
    """A change of an item leaves the index alone."""
    return Write(((f"{generator.randrange(ITEMS)}", 1),), ())


def _change_zipf(generator: random.Random, _: int) -> Write:
    return Write(((f"{_zipf_item(generator)}", 1),), ())


TRAFFIC = (
    Traffic("create, no tags", _create),
    Traffic("create, 2 tags (Zipf)", _create_tagged),
    Traffic("change, uniform", _change),
    Traffic("change, Zipf", _change_zipf),
)


def done(traffic: Traffic, rate: int, shards: int) -> float:
    """Return the share of writes that are done, of `rate` a second for some seconds."""
    generator = random.Random(SEED)
    sample = [traffic.make(generator, shards) for _ in range(200)]
    table = _partitions(rate * sum(_units(write.table) for write in sample) / len(sample))
    index = _partitions(rate * sum(_units(write.index) for write in sample) / len(sample))
    carried = 0
    for _ in range(SECONDS):
        left = {"table": [PARTITION_UNITS] * table, "index": [PARTITION_UNITS] * index}
        for _ in range(rate):
            write = traffic.make(generator, shards)
            carried += _take(left, write)
    return carried / (rate * SECONDS)


def table() -> Iterator[str]:
    """Yield the lines of the result as a Markdown table: shares of the writes that are done."""
    yield f"| traffic | shards | {' | '.join(f'{rate:,}/s' for rate in RATES)} |"
    yield f"|---|---|{'---|' * len(RATES)}"
    for traffic in TRAFFIC:
        # A change needs no shard; 4 stands for all.
        for shards in SHARDS if traffic.name.startswith("create") else (4,):
            shares = (f"{done(traffic, rate, shards):.0%}" for rate in RATES)
            number = f"{shards}" if traffic.name.startswith("create") else "any"
            yield f"| {traffic.name} | {number} | {' | '.join(shares)} |"


def run(_rounds: int) -> Result:
    """Return how much is refused, over what a list under one key refuses. Rounds change nothing."""
    ratios = {}
    for traffic in TRAFFIC[:2]:
        for rate, shards in ((4_000, 16), (40_000, 64)):
            refused, alone = (1 - done(traffic, rate, number) for number in (shards, 1))
            label = f"refused at {rate:,}/s, {shards} shards over one key: {traffic.name}"
            value = round(refused / alone, 3)
            ratios[label] = Ratio(value, value, value, 0.5)
    return Result(NAME, ratios)


def _list(item: str, shards: int) -> str:
    return str(crc32(item.encode()) % shards)


def _units(needed: tuple[tuple[str, int], ...]) -> int:
    return sum(units for _, units in needed)


def _partitions(units: float) -> int:
    return max(1, -(-int(2 * units) // PARTITION_UNITS))


def _take(left: dict[str, list[int]], write: Write) -> bool:
    """Take the units of a write, all of them or none; return whether it could."""
    taken: list[tuple[list[int], int, int]] = []
    for partitions, needed in ((left["table"], write.table), (left["index"], write.index)):
        for key, units in needed:
            place = crc32(b"partition of " + key.encode()) % len(partitions)
            if partitions[place] < units:
                for others, other, back in taken:
                    others[other] += back
                return False
            partitions[place] -= units
            taken.append((partitions, place, units))
    return True


def main() -> None:
    """Print the table."""
    for line in table():
        print(line, flush=True)


if __name__ == "__main__":
    main()
