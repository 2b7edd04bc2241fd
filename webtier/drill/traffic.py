"""Requests of one second: where the load balancer sends them, and what becomes of them.

Every request is served or an error: `unreachable` (sent to an address of a lost zone), answered by
the `balancer` (no target, a dead one, a full one, or one that ended in the middle) or by the
`application` (it is faulty, or needs the database while that is away).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from webtier.drill.fleet import Health, Version
from webtier.drill.queueing import queue

if TYPE_CHECKING:
    from webtier.drill.assumptions import Assumptions
    from webtier.drill.fleet import Fleet, Instance

# A target in its slow start never gets nothing at all.
_LEAST_WEIGHT = 0.01


@dataclass
class Second:
    """What became of the requests of one second.

    `latencies` are pairs of a number of served requests and their mean time in seconds; `cpu` is
    the share of its CPU that each instance used, by name.
    """

    offered: float = 0.0
    served: float = 0.0
    unreachable: float = 0.0
    balancer: float = 0.0
    application: float = 0.0
    cut: float = 0.0
    latencies: list[tuple[float, float]] = field(default_factory=list)
    cpu: dict[str, float] = field(default_factory=dict)

    @property
    def errors(self) -> float:
        """All that were not served."""
        return self.unreachable + self.balancer + self.application


def capacity(fleet_vcpus: int, assumptions: Assumptions) -> float:
    """How many requests a second an instance can serve."""
    return fleet_vcpus * assumptions.requests_per_vcpu


def second(fleet: Fleet, offered: float, step: int = 1) -> Second:
    """Send `offered` requests to the fleet as it is now, and stays for `step` seconds."""
    result = Second(offered=offered, unreachable=offered * _astray(fleet))
    arriving = offered - result.unreachable
    balancer = fleet.tier.balancer
    nodes = [zone for zone in balancer.zones if zone not in fleet.lost]
    if balancer.cross_zone or not nodes:
        _spread(fleet, arriving, None, result)
    else:
        for zone in nodes:
            _spread(fleet, arriving / len(nodes), zone, result)
    _cut(fleet, result, step)
    return result


def _astray(fleet: Fleet) -> float:
    """The share of requests that goes to addresses of the load balancer in lost zones.

    All that were there at first; once the name has lost them, clients follow as what they
    remember of it expires.
    """
    zones, assumed = fleet.tier.balancer.zones, fleet.assumptions
    share = 0.0
    for zone in zones:
        if zone not in fleet.lost:
            continue
        since = fleet.now - fleet.lost[zone] - assumed.dns_detection_seconds
        left = 1 - since / assumed.dns_ttl_seconds if assumed.dns_ttl_seconds else float(since < 0)
        share += min(1.0, max(0.0, left)) / len(zones)
    return share if len(fleet.lost) < len(zones) else 1.0


def _spread(fleet: Fleet, rate: float, zone: str | None, result: Second) -> None:
    """Send requests to the healthy targets; where there is none, to all there are."""
    registered = [one for one in fleet.registered() if zone in (None, one.zone)]
    targets = [one for one in registered if one.health is Health.HEALTHY] or registered
    if not targets:
        result.balancer += rate
        return
    weights = [_weight(fleet, instance) for instance in targets]
    for instance, weight in zip(targets, weights, strict=True):
        _serve(fleet, instance, rate * weight / sum(weights), result)


def _weight(fleet: Fleet, instance: Instance) -> float:
    ramp = fleet.tier.balancer.slow_start
    age = fleet.now - instance.healthy_since
    if not ramp or math.isinf(age) or age >= ramp:
        return 1.0
    return max(_LEAST_WEIGHT, age / ramp)


def _serve(fleet: Fleet, instance: Instance, rate: float, result: Second) -> None:
    if not fleet.answering(instance):
        result.balancer += rate
        return
    assumed, servers = fleet.assumptions, fleet.tier.group.vcpus
    places = servers + math.ceil(capacity(servers, assumed) * assumed.client_timeout_seconds)
    found = queue(round(rate, 3), servers, assumed.requests_per_vcpu, places)
    turned_away = rate * found.blocked
    worked = rate - turned_away
    away = assumed.database_share if fleet.database_is_away() else 0.0
    faulty = assumed.faulty_share if instance.version is Version.FAULTY else 0.0
    failed = worked * (1 - (1 - away) * (1 - faulty))
    result.balancer += turned_away
    result.application += failed
    result.served += worked - failed
    mean = found.wait + 1 / assumed.requests_per_vcpu + assumed.wait_seconds
    result.latencies.append((worked - failed, mean))
    used = worked / capacity(servers, assumed)
    result.cpu[instance.name] = min(1.0, result.cpu.get(instance.name, 0.0) + used)


def _cut(fleet: Fleet, result: Second, step: int) -> None:
    """End what an instance that left is still doing after its deregistration delay.

    By Little's law it has rate × time requests in it; times are taken as exponential.
    """
    busy = len(result.latencies)
    total = sum(count for count, _ in result.latencies)
    for instance in fleet.left:
        if not busy or not total or not fleet.answering(instance):
            continue
        mean = sum(count * time for count, time in result.latencies) / total
        left = total / busy * mean * math.exp(-fleet.tier.balancer.deregistration / mean)
        ended = min(left / step, result.served)
        result.cut += ended
        result.served -= ended
        result.balancer += ended
