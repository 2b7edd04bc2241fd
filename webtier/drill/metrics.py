"""The CloudWatch data of a run, minute by minute: what AWS would publish of the same resources.

A count of errors is published only when it is not 0, a database that is away publishes nothing.
Sources: Application Load Balancers, "CloudWatch metrics for your Application Load Balancer";
Amazon EC2 Auto Scaling, "Amazon CloudWatch metrics for Amazon EC2 Auto Scaling"; Amazon RDS,
"Amazon CloudWatch metrics for Amazon RDS".
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from webtier.drill.tier import Tier

Key = tuple[str, str, tuple[tuple[str, str], ...]]

BALANCER, GROUP, INSTANCES, DATABASE = (
    "AWS/ApplicationELB",
    "AWS/AutoScaling",
    "AWS/EC2",
    "AWS/RDS",
)
GIB = 1024**3
MIB = 1024**2
_QUANTILES = 100
_BISECTIONS = 25

ORDINARY: Mapping[str, float] = {
    "CPUUtilization": 30,
    "FreeableMemory": 1.5 * GIB,
    "ReadLatency": 0.002,
    "WriteLatency": 0.004,
    "DiskQueueDepth": 0.5,
    "SwapUsage": 0,
    "ReplicaLag": 0,
    "DBLoad": 0.5,
    "MaximumUsedTransactionIDs": 1e6,
    "OldestReplicationSlotLag": 0,
    "TransactionLogsDiskUsage": 64 * MIB,
    "CPUCreditBalance": 576,
    "CPUSurplusCreditsCharged": 0,
    "EBSByteBalance%": 99,
    "EBSIOBalance%": 99,
    "BurstBalance": 99,
}
"""What a database publishes while nothing is wrong with it: no drill changes these."""

CONNECTIONS_PER_INSTANCE = 10


@dataclass
class Metrics:
    """Values of metrics by minute. `known` has the names of all metrics there are data of."""

    values: dict[Key, dict[int, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    known: set[tuple[str, str]] = field(default_factory=set)

    def put(
        self,
        minute: int,
        namespace: str,
        dimensions: Mapping[str, str],
        values: Mapping[str, float | Sequence[float] | None],
    ) -> None:
        """Add the values of a minute; None is a metric without a value in it."""
        where = tuple(sorted(dimensions.items()))
        for name, value in values.items():
            self.known.add((namespace, name))
            if value is None:
                continue
            several = [float(value)] if isinstance(value, int | float) else list(value)
            self.values[namespace, name, where][minute].extend(several)


def balancer(tier: Tier) -> tuple[dict[str, str], dict[str, str]]:
    """The dimensions of the load balancer, and of its target group."""
    whole = {"LoadBalancer": f"${{{tier.balancer.resource}.LoadBalancerFullName}}"}
    group = f"${{{tier.balancer.target_group}.TargetGroupFullName}}"
    return whole, {**whole, "TargetGroup": group}


def group(tier: Tier) -> dict[str, str]:
    """The dimension of the group."""
    return {"AutoScalingGroupName": tier.group.dimension}


def counted(number: float) -> float | None:
    """A count of errors as it is published: not at all when it is 0."""
    return number if number > 0.5 else None


def quantiles(latencies: Mapping[float, float]) -> list[float]:
    """Equally likely response times in seconds, of exponential ones: how many have which mean."""
    total = sum(latencies.values())
    if not total:
        return []
    shares = ((mean, round(count / total, 3)) for mean, count in sorted(latencies.items()))
    return list(_quantiles(tuple((mean, share) for mean, share in shares if share)))


@lru_cache(maxsize=4096)
def _quantiles(shares: tuple[tuple[float, float], ...]) -> tuple[float, ...]:
    at = [(number + 0.5) / _QUANTILES for number in range(_QUANTILES)]
    if len(shares) == 1:
        ((mean, _),) = shares
        return tuple(-mean * math.log1p(-part) for part in at)
    found = []
    total = sum(share for _, share in shares)
    for part in at:
        low, high = 0.0, 40 * max(mean for mean, _ in shares)
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            below = sum(share * -math.expm1(-middle / mean) for mean, share in shares)
            low, high = (middle, high) if below < part * total else (low, middle)
        found.append(high)
    return tuple(found)
