"""One run: a tier, a few seconds at a time, through what happens to it; each minute is told."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from monitoring.semantics import queries
from webtier.drill import alarms, metrics, scaling, traffic
from webtier.drill.fleet import Fleet, Health

if TYPE_CHECKING:
    from collections.abc import Callable

    from webtier.drill.alarms import Change
    from webtier.drill.assumptions import Assumptions
    from webtier.drill.deployment import Deployment
    from webtier.drill.tier import Tier

EVENT_MINUTE = 10
EVENT = EVENT_MINUTE * 60
"""When it happens, in seconds: after enough of an ordinary time for every alarm to be quiet."""

EVENT_SENT = "EVENT"
"""What a subscription to RDS's events is in a moment: it has no state that it stays in."""

LONGEST_STEP = 5
"""A run goes on by so many seconds at a time, or fewer where health checks ask for it."""

_LATENCY_DIGITS = 3  # milliseconds

ERROR_SHARE = 0.01
"""A minute counts as one with errors when more of its requests than this fail."""


@dataclass
class Minute:
    """One minute. Requests are numbers in it, `zones` the instances that serve at its end.

    `fewest` is the smallest number of serving instances in it, `desired` what the group wants,
    `latency` the mean and `slow` the 95th percentile of the response time in seconds; `cpu` is the
    mean share over the serving instances; `free_gib` the database's free storage.
    """

    number: int
    offered: float = 0.0
    served: float = 0.0
    unreachable: float = 0.0
    balancer: float = 0.0
    application: float = 0.0
    cut: float = 0.0
    zones: dict[str, int] = field(default_factory=dict)
    fewest: int = 0
    desired: int = 0
    latency: float = 0.0
    slow: float = 0.0
    cpu: float = 0.0
    free_gib: float = 0.0

    @property
    def errors(self) -> float:
        """Requests that were not served."""
        return self.unreachable + self.balancer + self.application

    @property
    def failing(self) -> bool:
        """Whether this is a minute with errors."""
        return self.errors > ERROR_SHARE * self.offered


@dataclass(frozen=True)
class Told:
    """What happened at a second of the run."""

    second: float
    what: str


@dataclass
class Run:
    """What happened.

    `ready` and `offered` have a value for each `step` of so many seconds: the instances that
    serve, and the requests that come in a second.
    `usual` are alarms that say nothing: they go off without what is wrong, too.
    """

    label: str
    tier: Tier
    assumptions: Assumptions
    minutes: list[Minute] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    changes: tuple[Change, ...] = ()
    not_modelled: tuple[str, ...] = ()
    ready: list[int] = field(default_factory=list)
    offered: list[float] = field(default_factory=list)
    deployment: Deployment | None = None
    cut_off: tuple[str, ...] = ()
    full: float = math.inf
    wanted: int = 0
    usual: frozenset[str] = frozenset()
    step: int = 1


@dataclass(frozen=True)
class Scenario:
    """What happens: `strike` at the minute of the event, `factor` times the usual load at a second.

    `strike` may return a deployment, which then takes its course.
    """

    label: str
    minutes: int
    strike: Callable[[Fleet], Deployment | None]
    factor: Callable[[float], float] = lambda _second: 1.0


def run(tier: Tier, assumptions: Assumptions, scenario: Scenario) -> Run:
    """Run a scenario."""
    result = Run(scenario.label, tier, assumptions, wanted=tier.group.desired)
    result.step = math.gcd(tier.balancer.interval, tier.balancer.timeout, LONGEST_STEP)
    data = metrics.Metrics()
    fleet = Fleet(tier, assumptions, lambda what: result.told.append(Told(fleet.now, what)))
    tracking = scaling.Scaling(tier, assumptions)
    usual = scaling.usual_load(tier, assumptions)
    sums = _Sums()
    for number in range(0, scenario.minutes * 60, result.step):
        fleet.now = float(number)
        fleet.step()
        if number == EVENT:
            result.deployment = scenario.strike(fleet)
            result.cut_off = _cut_off(fleet)
        if result.deployment is not None:
            result.deployment.step()
        tracking.step(fleet)
        second = traffic.second(fleet, usual * scenario.factor(fleet.now), result.step)
        sums.add(fleet, second, result.step)
        result.ready.append(sums.ready)
        result.offered.append(second.offered)
        if (number + result.step) % 60 == 0:
            fleet.now = float(number + result.step)
            minute = sums.close(fleet, number // 60)
            result.minutes.append(minute)
            _publish(data, fleet, minute, sums)
            cpu = sums.warm_cpu if tier.group.detailed_monitoring or fleet.now % 300 == 0 else None
            tracking.measure(fleet, requests=sums.routed, targets=sums.targets / 60, cpu=cpu)
            sums = _Sums()
    found = alarms.evaluate(tier.alarms, data, scenario.minutes, assumptions.metric_delay_seconds)
    result.changes, result.not_modelled = found.changes, found.not_modelled
    return result


def notices(
    tier: Tier, kind: str, categories: frozenset[str], second: float, assumptions: Assumptions
) -> tuple[Change, ...]:
    """What RDS tells of an event of these categories that happens at a second of the run.

    `kind` is the type of its source, `db-instance` or `db-cluster`.
    """
    return tuple(
        alarms.Change(second + assumptions.event_delay_seconds, one.resource, EVENT_SENT, one.heard)
        for one in tier.notices
        if one.is_of(kind, categories)
    )


def _cut_off(fleet: Fleet) -> tuple[str, ...]:
    """The living zones of the group that have no way out."""
    lost = set(fleet.lost)
    return tuple(
        way.zone for way in fleet.tier.egress if way.zone not in lost and not way.through - lost
    )


@dataclass
class _Sums:
    """What adds up over a minute."""

    offered: float = 0.0
    served: float = 0.0
    unreachable: float = 0.0
    balancer: float = 0.0
    application: float = 0.0
    cut: float = 0.0
    routed: float = 0.0
    targets: float = 0.0
    fewest: int = -1
    ready: int = 0
    unhealthy: int = 0
    away: bool = False
    warm_cpu: float | None = None
    latencies: dict[float, float] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)

    def add(self, fleet: Fleet, second: traffic.Second, step: int) -> None:
        self.offered += second.offered * step
        self.served += second.served * step
        self.unreachable += second.unreachable * step
        self.balancer += second.balancer * step
        self.application += second.application * step
        self.cut += second.cut * step
        self.routed += (second.offered - second.unreachable) * step
        registered = fleet.registered()
        healthy = [one for one in registered if one.health is Health.HEALTHY]
        self.targets += len(healthy) * step
        ready = sum(fleet.answering(one) for one in healthy)
        self.ready = ready
        self.fewest = ready if self.fewest < 0 else min(self.fewest, ready)
        self.unhealthy = max(
            self.unhealthy,
            sum(one.health is Health.UNHEALTHY for one in registered),
        )
        self.away = self.away or fleet.database_is_away()
        for count, mean in second.latencies:
            rounded = round(mean, _LATENCY_DIGITS)
            self.latencies[rounded] = self.latencies.get(rounded, 0.0) + count * step
        for name, used in second.cpu.items():
            self.cpu[name] = self.cpu.get(name, 0.0) + used * step / 60

    def close(self, fleet: Fleet, number: int) -> Minute:
        zones = dict.fromkeys(fleet.tier.group.zones, 0)
        for instance in fleet.healthy():
            zones[instance.zone] += fleet.answering(instance)
        answering = [one for one in fleet.registered() if fleet.answering(one)]
        warm = [one for one in answering if fleet.now >= one.in_service + fleet.tier.group.warm_up]
        used = [100 * self.cpu.get(one.name, 0.0) for one in warm]
        self.warm_cpu = sum(used) / len(used) if used else None
        served = sum(self.latencies.values())
        mean = sum(time * count for time, count in self.latencies.items())
        return Minute(
            number=number,
            offered=self.offered,
            served=self.served,
            unreachable=self.unreachable,
            balancer=self.balancer,
            application=self.application,
            cut=self.cut,
            zones=zones,
            fewest=max(0, self.fewest),
            desired=fleet.desired,
            latency=mean / served if served else 0.0,
            cpu=sum(used) / len(used) / 100 if used else 0.0,
        )


def _publish(data: metrics.Metrics, fleet: Fleet, minute: Minute, sums: _Sums) -> None:
    tier, number = fleet.tier, minute.number
    whole, targets = metrics.balancer(tier)
    times = metrics.quantiles(sums.latencies)
    minute.slow = queries.statistic("p95", times) or 0.0
    common: dict[str, float | list[float] | None] = {
        "RequestCount": sums.routed,
        "HTTPCode_Target_5XX_Count": metrics.counted(minute.application),
        "HTTPCode_Target_2XX_Count": metrics.counted(minute.served),
        "TargetConnectionErrorCount": metrics.counted(minute.balancer),
        "TargetResponseTime": times or None,
    }
    data.put(
        number,
        metrics.BALANCER,
        whole,
        {
            **common,
            "HTTPCode_ELB_5XX_Count": metrics.counted(minute.balancer),
            "RejectedConnectionCount": None,
        },
    )
    registered = fleet.registered()
    healthy = fleet.healthy()
    hosts: dict[str, float | list[float] | None] = {
        "UnHealthyHostCount": [
            sums.unhealthy,
            sum(one.health is Health.UNHEALTHY for one in registered),
        ],
        "HealthyHostCount": len(healthy),
    }
    each = sums.routed * 60 / sums.targets if sums.targets else None
    data.put(number, metrics.BALANCER, targets, {**common, **hosts, "RequestCountPerTarget": each})
    for zone in tier.balancer.zones:
        inside = sum(one.zone == zone for one in healthy)
        data.put(
            number,
            metrics.BALANCER,
            {**targets, "AvailabilityZone": zone},
            {"HealthyHostCount": inside, "UnHealthyHostCount": None},
        )
    members = fleet.members
    serving = sum(one.in_service <= fleet.now for one in members)
    collected = tier.group.metrics_collected
    sizes = {
        "GroupInServiceInstances": serving,
        "GroupDesiredCapacity": fleet.desired,
        "GroupMinSize": tier.group.min_size,
        "GroupMaxSize": tier.group.max_size,
        "GroupTotalInstances": len(members),
        "GroupPendingInstances": len(members) - serving,
    }
    data.put(
        number,
        metrics.GROUP,
        metrics.group(tier),
        {name: value if collected else None for name, value in sizes.items()},
    )
    due = tier.group.detailed_monitoring or number % scaling.BASIC_MONITORING_MINUTES == 4
    alive = [one for one in members if one.in_service <= fleet.now and one.zone not in fleet.lost]
    data.put(
        number,
        metrics.INSTANCES,
        metrics.group(tier),
        {
            "CPUUtilization": [100 * sums.cpu.get(one.name, 0.0) for one in alive] if due else None,
            "StatusCheckFailed": [0.0 for _ in alive],
        },
    )
    if tier.database is not None:
        free = tier.database.allocated * (1 - fleet.assumptions.disk_used_share)
        minute.free_gib = free
        connections = len(registered) * metrics.CONNECTIONS_PER_INSTANCE
        publish_database(data, tier, number, free, connections, away=sums.away)


def publish_database(
    data: metrics.Metrics,
    tier: Tier,
    minute: int,
    free: float,
    connections: float,
    *,
    away: bool = False,
) -> None:
    """Add a minute of the database's metrics; `free` is its free storage in GiB."""
    if tier.database is None:
        return
    values = {
        **metrics.ORDINARY,
        "FreeStorageSpace": free * metrics.GIB,
        "DatabaseConnections": connections,
    }
    nothing = dict.fromkeys(values)
    for name, value in tier.database.dimensions:
        data.put(minute, metrics.DATABASE, {name: value}, nothing if away else values)
    for name, value in tier.database.replicas:
        data.put(minute, metrics.DATABASE, {name: value}, values)
