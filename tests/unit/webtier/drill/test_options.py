"""The drills on what the options of the template make of it."""

from __future__ import annotations

import pytest

from tests.unit.webtier.drill.test_promises import drilled
from webtier.build import template
from webtier.options import Database, Nat, Options, ScheduledMinimum

# One NAT gateway is a choice of cost, which the drill must not let pass for a safe one.
SHARED_NAT = {"zone-egress", "zone-capacity"}
# MinCapacity, two, leaves a third zone without an instance: nothing is missed when it is lost.
EMPTY_ZONE = {"zone-told"}
_SCHEDULE = (ScheduledMinimum.parse("0 7 * * * = 4"), ScheduledMinimum.parse("0 19 * * * = 2"))


@pytest.mark.parametrize(
    ("options", "broken"),
    [
        (Options(nat=Nat.NONE, database=Database.REPLICA, spot_percent=100), set()),
        (Options(nat=Nat.ONE, database=Database.CLUSTER, firewall=False), SHARED_NAT),
        (Options(schedule=_SCHEDULE, plain_http=True, storage_gib=100), set()),
        (Options(zones=3, database=Database.CLUSTER, spot_percent=50), EMPTY_ZONE),
        (Options(zones=3, nat=Nat.ONE), {*SHARED_NAT, *EMPTY_ZONE}),
    ],
    ids=lambda value: (
        "" if isinstance(value, set) else f"{value.zones}-{value.nat}-{value.database}"
    ),
)
def test_promises_are_kept_but_for_what_the_option_gives_up(options, broken) -> None:
    kept = drilled(template(options).to_dict())
    assert {name for name, one in kept.items() if not one.holds} == broken
