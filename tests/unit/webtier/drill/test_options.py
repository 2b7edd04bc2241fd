"""The drills on what the options of the template make of it."""

from __future__ import annotations

import pytest

from tests.unit.webtier.drill.test_promises import drilled
from webtier.build import template
from webtier.drill import outcome, promises, reading
from webtier.drill.assumptions import Assumptions
from webtier.options import Database, Nat, Options, ScheduledMinimum

# One NAT gateway is a choice of cost, which the drill must not let pass for a safe one.
SHARED_NAT = {"zone-egress", "zone-capacity"}
_SCHEDULE = (ScheduledMinimum.parse("0 7 * * * = 4"), ScheduledMinimum.parse("0 19 * * * = 2"))


@pytest.mark.parametrize(
    ("options", "broken"),
    [
        (Options(nat=Nat.NONE, database=Database.REPLICA, spot_percent=100), set()),
        (Options(nat=Nat.ONE, database=Database.CLUSTER, firewall=False), SHARED_NAT),
        (Options(schedule=_SCHEDULE, plain_http=True, storage_gib=100), set()),
        (Options(zones=3, database=Database.CLUSTER, spot_percent=50), set()),
        (Options(zones=3, nat=Nat.ONE), SHARED_NAT),
    ],
    ids=lambda value: (
        "" if isinstance(value, set) else f"{value.zones}-{value.nat}-{value.database}"
    ),
)
def test_promises_are_kept_but_for_what_the_option_gives_up(options, broken) -> None:
    kept = drilled(template(options).to_dict())
    assert {name for name, one in kept.items() if not one.holds} == broken


@pytest.mark.parametrize("schedule", [(), (ScheduledMinimum.parse("0 19 * * * = 2"),)])
def test_a_stage_with_fewer_instances_than_zones_is_told_what_to_do(schedule) -> None:
    body = template(Options(zones=3, schedule=schedule)).to_dict()
    given = reading.stand_ins(body) | ({} if schedule else {"MinCapacity": "2"})
    source = "ScheduledMinimum1" if schedule else "Group"
    found = outcome.outcomes(
        reading.read(body, given), Assumptions(), promises.load(), ["lose-zone"]
    )
    broken = {
        kept.promise.name: kept.reason for one in found for kept in one.promises if not kept.holds
    }
    assert broken == {"zone-told": f"{source}.MinSize is 2: set it to 3"}
