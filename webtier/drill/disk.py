"""The database's storage, minute by minute, while its data grows.

RDS enlarges storage by itself when less than 10 % of it has been free for five minutes, at most
every six hours: by 10 GiB, 10 % or what the last hour's growth needs in seven hours, whichever is
most, up to MaxAllocatedStorage. Source: Amazon RDS user guide, "Managing capacity automatically
with Amazon RDS storage autoscaling".
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from webtier.drill import alarms, metrics
from webtier.drill.run import Minute, Run, Told, notices

if TYPE_CHECKING:
    from webtier.drill.assumptions import Assumptions
    from webtier.drill.tier import Tier

FREE_SHARE = 0.1
LOW_MINUTES = 5
LEAST_STEP_GIB = 10
STEP_SHARE = 0.1
PREDICTED_HOURS = 7
LOW_STORAGE = frozenset({"low storage"})
LONGEST_HOURS = 14 * 24
"""A disk that is not full by then counts as one that does not fill."""

_AFTER_FULL_MINUTES = 60


def fill(tier: Tier, assumptions: Assumptions) -> Run:
    """Let the data grow until an hour after the disk is full, or for two weeks."""
    database = tier.database
    if database is None:
        raise ValueError("the template has no database")
    result = Run("growing data", tier, assumptions)
    data = metrics.Metrics()
    size = database.allocated
    used = size * assumptions.disk_used_share
    low, grown, heard = 0, -math.inf, False
    for number in range(LONGEST_HOURS * 60):
        used = min(size, used + assumptions.disk_growth_gib_per_hour / 60)
        if used >= size and math.isinf(result.full):
            result.full = (number + 1) * 60.0
            result.told.append(Told(result.full, "the disk is full: nothing can be written"))
        low = low + 1 if size - used < FREE_SHARE * size else 0
        waited = number - grown >= assumptions.disk_pause_hours * 60
        if low >= LOW_MINUTES and not heard:
            heard = True
            # Also of a cluster it is the instances that have the storage.
            second = (number + 1) * 60.0
            result.changes += notices(tier, "db-instance", LOW_STORAGE, second, assumptions)
        if low >= LOW_MINUTES and waited and size < (database.maximum or 0):
            step = max(
                LEAST_STEP_GIB,
                STEP_SHARE * size,
                PREDICTED_HOURS * assumptions.disk_growth_gib_per_hour,
            )
            size, grown, heard = min(database.maximum or 0, size + step), number, False
            result.full = math.inf
            result.told.append(Told((number + 1) * 60.0, f"storage grows to {size:.0f} GiB"))
        result.minutes.append(Minute(number, free_gib=size - used))
        free = {"FreeStorageSpace": (size - used) * metrics.GIB}
        for name, value in (*database.dimensions, *database.replicas):
            data.put(number, metrics.DATABASE, {name: value}, free)
        if (number + 1) * 60 >= result.full + _AFTER_FULL_MINUTES * 60:
            break
    found = alarms.evaluate(
        tier.alarms, data, len(result.minutes), assumptions.metric_delay_seconds
    )
    changes = sorted((*result.changes, *found.changes), key=lambda one: one.second)
    result.changes = tuple(changes)
    return result
