"""Option values to combine: every pair of two options' values is in one of a few combinations.

The default is none of them: `make check` has it.
"""

from __future__ import annotations

import functools
import itertools
import random
from ipaddress import IPv4Network
from typing import Any

from webtier.options import Architecture, Database, Nat, Options, ScheduledMinimum

VALUES: dict[str, tuple[Any, ...]] = {
    "zones": (2, 3),
    "vpc_cidr": (IPv4Network("10.0.0.0/16"), IPv4Network("172.20.4.0/22")),
    "nat": tuple(Nat),
    "plain_http": (False, True),
    "firewall": (True, False),
    "architecture": tuple(Architecture),
    "spot_percent": (0, 50, 100),
    "schedule": (
        (),
        (ScheduledMinimum("0 7 * * MON-FRI", 4), ScheduledMinimum("0 19 * * MON-FRI", 2)),
    ),
    "time_zone": ("Etc/UTC", "Europe/Berlin"),
    "database": tuple(Database),
    "storage_gib": (20, 400),
    "max_storage_gib": (500, 65_536),
    "backup_days": (1, 35),
    "log_days": (1, 3653),
    "deletion_protection": (True, False),
}

# Types may be named where something runs on Spot Instances: here where everything does.
_SPOT_TYPES = {
    Architecture.ARM64: ("c7g.large", "m7g.large", "r7g.large"),
    Architecture.X86_64: ("c7i.large", "m7i.large", "r7i.large"),
}

# Of many the one with the fewest combinations: a checker takes its time for each.
_SEED = 187

_Pair = tuple[tuple[str, int], tuple[str, int]]


@functools.cache
def covering() -> tuple[Options, ...]:
    """Combinations that hold every pair of two options' values."""
    return tuple(_options(chosen) for chosen in choices(random.Random(_SEED)))


def choices(order: random.Random) -> list[dict[str, int]]:
    """The places in VALUES that each combination takes, by the options' names.

    Greedy: each takes, option by option, the value with most pairs still missing.
    """
    names = list(VALUES)
    missing: set[_Pair] = {
        _pair((one, first), (other, second))
        for one, other in itertools.combinations(names, 2)
        for first in range(len(VALUES[one]))
        for second in range(len(VALUES[other]))
    }
    found = []
    while missing:
        order.shuffle(names)
        chosen = dict(min(missing))
        for name in names:
            if name not in chosen:
                gains = {
                    value: len(_pairs({**chosen, name: value}) & missing)
                    for value in range(len(VALUES[name]))
                }
                chosen[name] = max(gains, key=lambda value: gains[value])
        missing -= _pairs(chosen)
        found.append(chosen)
    return found


def _options(chosen: dict[str, int]) -> Options:
    values = {name: VALUES[name][index] for name, index in chosen.items()}
    if values["spot_percent"] == 100:
        values["spot_types"] = _SPOT_TYPES[values["architecture"]]
    return Options(**values)


def _pairs(chosen: dict[str, int]) -> set[_Pair]:
    return set(itertools.starmap(_pair, itertools.combinations(chosen.items(), 2)))


def _pair(one: tuple[str, int], other: tuple[str, int]) -> _Pair:
    return (one, other) if one < other else (other, one)
