"""Instances: where they are, whether they answer, and what the Auto Scaling group does about it.

A new target must pass one health check; from then on the thresholds of the target group count
(Application Load Balancers, "Health checks for your target groups"). The group replaces what the
load balancer calls unhealthy once the grace period is over, if its checks are of type ELB; what
fails its EC2 status check it always replaces (Amazon EC2 Auto Scaling, "Health checks for
instances"). Where its maintenance policy asks for all of its capacity, the new one is launched
first, and the old one goes when that is healthy and warm ("Instance maintenance policies"); here as
long as MaxSize leaves room. A launch that fails in a lost zone is made in another one.

With a launch hook an instance is registered once it answers; one that fails to start abandons its
launch, one that cannot reach AWS is abandoned at the time-out ("Amazon EC2 Auto Scaling lifecycle
hooks"). Without, it is registered while it boots.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from webtier.drill.assumptions import Assumptions
    from webtier.drill.tier import LaunchHook, Tier

LONG_AGO = -36000.0


class Version(Enum):
    """What is installed: `BROKEN` never answers, `FAULTY` passes its checks but fails requests."""

    CURRENT = "current"
    GOOD = "good"
    BROKEN = "broken"
    FAULTY = "faulty"


class Health(Enum):
    """What the load balancer knows of a target."""

    INITIAL = "initial"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


@dataclass
class Instance:
    """One instance. Times are seconds of the run, infinite for what never comes."""

    name: str
    zone: str
    version: Version
    spot: bool
    launched: float
    in_service: float
    answers: float
    health: Health = Health.INITIAL
    healthy_since: float = math.inf
    failed: int = 0
    passed: int = 0
    asked: bool = False
    hung: bool = False
    doomed: float = math.inf
    abandoned: float = math.inf
    successor: Instance | None = None


@dataclass
class Fleet:
    """The group's instances, second by second: set `now`, then call `step`."""

    tier: Tier
    assumptions: Assumptions
    tell: Callable[[str], None]
    now: float = 0.0
    desired: int = 0
    version: Version = Version.CURRENT
    members: list[Instance] = field(default_factory=list)
    left: list[Instance] = field(default_factory=list)
    lost: dict[str, float] = field(default_factory=dict)
    database_away: tuple[float, float] = (math.inf, math.inf)
    suspended: frozenset[str] = frozenset()
    launches: int = 0

    def __post_init__(self) -> None:
        self.desired = self.tier.group.desired
        while len(self.members) < self.desired:
            instance = self._new()
            instance.launched = instance.in_service = instance.answers = LONG_AGO
            instance.health, instance.healthy_since = Health.HEALTHY, LONG_AGO
            instance.abandoned = math.inf

    def step(self) -> None:
        """Let one second pass: health checks, replacements, launches."""
        self.left = []
        self._check()
        self._replace()
        self._abandon()
        if "Launch" not in self.suspended:
            # Those that wait for their successors still count towards MaxSize.
            missing = self.desired - len(self.members) + self.leaving()
            for _ in range(min(missing, self.tier.group.max_size - len(self.members))):
                self.launch()

    def launch(self) -> Instance:
        """Launch one instance of the present version."""
        instance = self._new()
        self.tell(f"{instance.name} is launched in {instance.zone}")
        return instance

    def signalled(self, instance: Instance) -> bool:
        """Whether an instance has told CloudFormation that it is up."""
        if self.tier.group.signals_in_service:
            return instance.health is Health.HEALTHY
        return instance.answers <= self.now

    def terminate(self, instance: Instance) -> None:
        """Take an instance out of the group; what it is doing has the deregistration delay."""
        self.members.remove(instance)
        self.left.append(instance)

    def surplus(self) -> Instance:
        """The member to end first: in the zone with most of them, the unhealthy before the old."""
        zones = Counter(instance.zone for instance in self.members)
        return min(
            self.members,
            key=lambda one: (-zones[one.zone], one.health is Health.HEALTHY, one.launched),
        )

    def answering(self, instance: Instance) -> bool:
        """Whether the application on an instance answers at all."""
        lives = not instance.hung and instance.zone not in self.lost
        return lives and instance.answers <= self.now

    def database_is_away(self) -> bool:
        """Whether the database does not answer now."""
        start, end = self.database_away
        return start <= self.now < end

    def registered(self) -> list[Instance]:
        """The targets of the load balancer."""
        return [instance for instance in self.members if instance.in_service <= self.now]

    def healthy(self) -> list[Instance]:
        """The targets that pass their health checks, as far as the load balancer knows."""
        return [one for one in self.registered() if one.health is Health.HEALTHY]

    def lose_zone(self, zone: str) -> None:
        """Lose everything in a zone."""
        self.lost[zone] = self.now
        self.tell(f"zone {zone} is lost")

    def lose_database(self, seconds: float) -> None:
        """Let the database be away for that long."""
        self.database_away = (self.now, self.now + seconds)
        until = "does not come back" if math.isinf(seconds) else f"fails over in {seconds:g} s"
        self.tell(f"the database is away and {until}")

    def _new(self) -> Instance:
        group, assumed = self.tier.group, self.assumptions
        counts = Counter(one.zone for one in self.members if math.isinf(one.doomed))
        open_zones = [zone for zone in group.zones if zone not in self.lost]
        same = Counter(one.zone for one in self.members if one.version is self.version)
        zone = min(open_zones or group.zones, key=lambda one: (counts[one], same[one], one))
        boots = self.version is not Version.BROKEN and self._reaches_out(zone)
        self.launches += 1
        demand = sum(not one.spot for one in self.members)
        instance = Instance(
            name=f"i-{self.launches}",
            zone=zone,
            version=self.version,
            spot=demand >= self._on_demand(len(self.members) + 1),
            launched=self.now,
            in_service=self.now + assumed.launch_seconds,
            answers=self.now + assumed.boot_seconds if boots else math.inf,
        )
        if group.hook is not None:
            self._await(instance, group.hook, reaches_out=self._reaches_out(zone))
        self.members.append(instance)
        return instance

    def _await(self, instance: Instance, hook: LaunchHook, *, reaches_out: bool) -> None:
        """Keep an instance from the load balancer until it answers, or give it up."""
        assumed = self.assumptions
        over = self.now + hook.timeout
        fails = self.now + assumed.boot_seconds + assumed.failure_signal_seconds
        ended = min(over, fails) if reaches_out else over
        completed = min(instance.answers, ended)
        if completed < instance.answers and not (hook.goes_on and completed == over):
            instance.in_service, instance.abandoned = math.inf, completed
        else:
            instance.in_service = completed + assumed.registration_seconds

    def _on_demand(self, size: int) -> int:
        group = self.tier.group
        above = max(0, size - group.on_demand_base)
        return min(size, group.on_demand_base) + math.ceil(above * group.on_demand_percent / 100)

    def _reaches_out(self, zone: str) -> bool:
        # An instance installs its application and signals through its zone's way out.
        ways = [way.through for way in self.tier.egress if way.zone == zone]
        return all(through - set(self.lost) for through in ways)

    def _check(self) -> None:
        """Every interval a check begins: it passes at once, or fails with the time-out."""
        balancer = self.tier.balancer
        since = self.now % balancer.interval
        deep = balancer.path == self.assumptions.ready_path and self.database_is_away()
        for instance in self.registered():
            if since == 0:
                instance.asked = not self.answering(instance) or deep
                if not instance.asked:
                    self._pass(instance)
            elif instance.asked and since == balancer.timeout % balancer.interval:
                self._fail(instance)

    def _pass(self, instance: Instance) -> None:
        instance.passed, instance.failed = instance.passed + 1, 0
        enough = 1 if instance.health is Health.INITIAL else self.tier.balancer.healthy
        if instance.health is not Health.HEALTHY and instance.passed >= enough:
            instance.health, instance.healthy_since = Health.HEALTHY, self.now
            self.tell(f"{instance.name} is healthy")

    def _fail(self, instance: Instance) -> None:
        instance.passed, instance.failed = 0, instance.failed + 1
        if instance.failed < self.tier.balancer.unhealthy:
            return
        if instance.health is Health.HEALTHY:
            self.tell(f"{instance.name} is unhealthy: it gets no more requests")
        instance.health, instance.healthy_since = Health.UNHEALTHY, math.inf

    def _replace(self) -> None:
        if "HealthCheck" in self.suspended or "ReplaceUnhealthy" in self.suspended:
            return
        group, assumed = self.tier.group, self.assumptions
        for instance in list(self.members):
            since = self.lost.get(instance.zone, math.inf)
            impaired = self.now >= since + assumed.status_check_seconds
            graced = self.now < instance.in_service + group.grace
            unhealthy = group.elb_checks and instance.health is Health.UNHEALTHY and not graced
            if instance.successor in self.members:
                self._succeed(instance)
            elif not impaired and not unhealthy:
                instance.doomed = math.inf
            elif math.isinf(instance.doomed):
                instance.doomed = self.now + assumed.replacement_seconds
            elif self.now >= instance.doomed:
                self._succeed(instance)

    def _succeed(self, instance: Instance) -> None:
        """Replace an instance: at once, or when another one is ready for it."""
        group = self.tier.group
        if instance.successor not in self.members:
            self.tell(f"{group.resource} replaces {instance.name}")
            if not self._launches_first():
                self.terminate(instance)
                return
            instance.successor = self.launch()
        elif self._ready(instance.successor):
            self.tell(f"{instance.name} is terminated")
            self.terminate(instance)

    def _launches_first(self) -> bool:
        """Whether the maintenance policy leaves no instance to end first, and MaxSize has room."""
        group = self.tier.group
        if group.healthy_percent is None or len(self.members) >= group.max_size:
            return False
        least, most = group.healthy_percent
        room = max(1, self.desired * most // 100 - self.desired)
        return (
            least > 0 and -(-self.desired * least // 100) >= self.desired and room > self.leaving()
        )

    def leaving(self) -> int:
        """How many members have a successor that is here already."""
        return sum(one.successor in self.members for one in self.members)

    def _ready(self, instance: Instance | None) -> bool:
        if instance is None or instance.health is not Health.HEALTHY:
            return False
        return self.now >= instance.in_service + self.tier.group.warm_up

    def _abandon(self) -> None:
        """End what never came into service, after it has told so."""
        for instance in list(self.members):
            if self.now > instance.abandoned:
                self.tell(f"{instance.name} does not come into service: its launch is abandoned")
                self.terminate(instance)
