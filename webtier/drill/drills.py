"""The drills: what goes wrong, how long it is watched, and the runs that show it.

A drill has more than one run where it matters which part is hit: every zone is lost once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from webtier.drill import disk
from webtier.drill.deployment import Deployment
from webtier.drill.fleet import Version
from webtier.drill.run import EVENT, Scenario, notices, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from webtier.drill.assumptions import Assumptions
    from webtier.drill.fleet import Fleet
    from webtier.drill.run import Run
    from webtier.drill.tier import Tier

_FAILOVER = frozenset({"failover"})
# An instance without a standby does not fail over: RDS restarts it.
_RESTART = frozenset({"availability", "recovery"})


@dataclass(frozen=True)
class Drill:
    """One drill. `applies` says whether the template has what is lost in it."""

    name: str
    title: str
    what: str
    runs: Callable[[Tier, Assumptions], tuple[Run, ...]]
    applies: Callable[[Tier], bool] = lambda _tier: True


def _has_database(tier: Tier) -> bool:
    return tier.database is not None


def _has_spot(tier: Tier) -> bool:
    return tier.group.on_demand_percent < 100


def _failover(tier: Tier, assumptions: Assumptions) -> float:
    """How many seconds the database is away when the machine or the zone it is on is lost."""
    database = tier.database
    if database is None:
        return 0.0
    if database.form == "single" or len(database.zones) < 2:
        return math.inf
    return (
        assumptions.cluster_failover_seconds
        if database.form == "cluster"
        else assumptions.failover_seconds
    )


def _with_notices(found: Run, tier: Tier) -> Run:
    """The run, with RDS's own events of a lost primary sent.

    Amazon RDS User Guide, "Amazon RDS event categories and event messages".
    """
    if tier.database is None:
        return found
    kind = "db-cluster" if tier.database.form == "cluster" else "db-instance"
    categories = _RESTART if tier.database.form == "single" else _FAILOVER
    sent = notices(tier, kind, categories, float(EVENT), found.assumptions)
    found.changes = tuple(sorted((*sent, *found.changes), key=lambda one: one.second))
    return found


def _ordinary(tier: Tier, assumptions: Assumptions) -> tuple[Run, ...]:
    return (run(tier, assumptions, Scenario("nothing", 60, lambda _fleet: None)),)


def _lose_zone(tier: Tier, assumptions: Assumptions) -> tuple[Run, ...]:
    def strike(zone: str) -> Callable[[Fleet], None]:
        def lose(fleet: Fleet) -> None:
            fleet.lose_zone(zone)
            # The zone with the primary is the worst one to lose, and any may have it.
            if tier.database is not None and zone in tier.database.zones:
                fleet.lose_database(_failover(tier, assumptions))

        return lose

    found = (run(tier, assumptions, Scenario(zone, 40, strike(zone))) for zone in tier.zones)
    return tuple(_with_notices(one, tier) for one in found)


def _lose_instance(tier: Tier, assumptions: Assumptions) -> tuple[Run, ...]:
    def hang(fleet: Fleet) -> None:
        fleet.members[0].hung = True
        fleet.tell(f"the application on {fleet.members[0].name} hangs; the machine itself is fine")

    return (run(tier, assumptions, Scenario("one instance", 40, hang)),)


def _start_nothing(tier: Tier, assumptions: Assumptions) -> tuple[Run, ...]:
    def strike(fleet: Fleet) -> None:
        fleet.version = Version.BROKEN
        fleet.tell(f"{fleet.members[0].name} is terminated; from now on no instance can start")
        fleet.terminate(fleet.members[0])

    return (run(tier, assumptions, Scenario("one instance", 22, strike)),)


def _lose_spot(tier: Tier, assumptions: Assumptions) -> tuple[Run, ...]:
    def reclaim(fleet: Fleet) -> None:
        taken = [instance for instance in fleet.members if instance.spot]
        fleet.tell(f"{len(taken)} Spot instances are reclaimed without notice")
        for instance in taken:
            fleet.terminate(instance)

    return (run(tier, assumptions, Scenario("Spot", 40, reclaim)),)


def _triple(tier: Tier, assumptions: Assumptions) -> tuple[Run, ...]:
    end = EVENT + assumptions.spike_minutes * 60

    def factor(second: float) -> float:
        # Within a minute, from the usual load to the whole of the spike.
        rise = min(1.0, max(0.0, (second - EVENT) / 60)) if second < end else 0.0
        return 1 + (assumptions.traffic_factor - 1) * rise

    def strike(fleet: Fleet) -> None:
        fleet.tell(f"the load rises to {assumptions.traffic_factor:g} times the usual one")

    minutes = math.ceil(EVENT / 60 + assumptions.spike_minutes + 30)
    return (run(tier, assumptions, Scenario("the whole", minutes, strike, factor)),)


def _deploy(version: Version) -> Callable[[Tier, Assumptions], tuple[Run, ...]]:
    def runs(tier: Tier, assumptions: Assumptions) -> tuple[Run, ...]:
        update = tier.group.update
        pause = update.pause if update and update.signals else 0
        minutes = 50 + math.ceil(pause / 60)

        def deployed(version: Version) -> Run:
            strike = Scenario(version.value, minutes, lambda fleet: Deployment(fleet, version))
            return run(tier, assumptions, strike)

        found = deployed(version)
        if version is not Version.GOOD:
            good = deployed(Version.GOOD)
            found.usual = frozenset(one.alarm for one in good.changes if one.state != "OK")
        return (found,)

    return runs


def _fail_over(tier: Tier, assumptions: Assumptions) -> tuple[Run, ...]:
    def strike(fleet: Fleet) -> None:
        fleet.lose_database(_failover(tier, assumptions))

    return (_with_notices(run(tier, assumptions, Scenario("its machine", 40, strike)), tier),)


def _lose_database(tier: Tier, assumptions: Assumptions) -> tuple[Run, ...]:
    def strike(fleet: Fleet) -> None:
        fleet.lose_database(math.inf)

    return (run(tier, assumptions, Scenario("the whole", 40, strike)),)


def _fill_disk(tier: Tier, assumptions: Assumptions) -> tuple[Run, ...]:
    return (disk.fill(tier, assumptions),)


DRILLS = {
    drill.name: drill
    for drill in (
        Drill(
            "ordinary-hour",
            "An ordinary hour",
            "The usual load, and nothing happens: no alarm may cry wolf.",
            _ordinary,
        ),
        Drill(
            "lose-zone",
            "Lose a zone",
            "Everything in one zone is gone at once, the database's primary included: instances, "
            "NAT gateway, the load balancer's addresses. Each zone is lost once.",
            _lose_zone,
        ),
        Drill(
            "lose-instance",
            "Lose an instance",
            "The application on one instance hangs. Its machine is fine, so only somebody who "
            "asks the application notices.",
            _lose_instance,
        ),
        Drill(
            "start-nothing",
            "Start nothing any more",
            "An instance is terminated, and none that replaces it can start: the artifact is gone, "
            "say. Nothing heals that, so somebody must be told before more are lost.",
            _start_nothing,
        ),
        Drill(
            "lose-spot",
            "Lose every Spot instance",
            "EC2 takes all Spot instances back at once; others can be had.",
            _lose_spot,
            _has_spot,
        ),
        Drill(
            "triple-traffic",
            "Triple the traffic in a minute",
            "The load rises to three times the usual one within a minute, stays for 25 minutes "
            "and falls.",
            _triple,
        ),
        Drill(
            "good-version",
            "Deploy a good version",
            "A stack update brings a version that works: nobody may notice.",
            _deploy(Version.GOOD),
        ),
        Drill(
            "broken-version",
            "Deploy a broken version",
            "A stack update brings a version that never answers.",
            _deploy(Version.BROKEN),
        ),
        Drill(
            "faulty-version",
            "Deploy a faulty version",
            "A stack update brings a version that passes its health check and fails a quarter of "
            "the requests: CloudFormation cannot see it, an alarm must.",
            _deploy(Version.FAULTY),
        ),
        Drill(
            "fail-over-database",
            "Lose the database's machine",
            "The machine of the primary fails.",
            _fail_over,
            _has_database,
        ),
        Drill(
            "lose-database",
            "Lose the whole database",
            "The database stays away: nothing heals that, so somebody must be told, and the "
            "instances must live on.",
            _lose_database,
            _has_database,
        ),
        Drill(
            "fill-disk",
            "Fill the database's disk",
            "The data grows and grows.",
            _fill_disk,
            _has_database,
        ),
    )
}
