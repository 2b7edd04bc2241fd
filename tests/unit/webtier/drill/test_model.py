"""What holds in every run, whatever the template; and what single parts of the model do."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webtier.drill import page, reading
from webtier.drill.assumptions import Assumptions
from webtier.drill.deployment import Deployment
from webtier.drill.disk import fill
from webtier.drill.drills import DRILLS
from webtier.drill.fleet import Fleet, Version
from webtier.drill.run import EVENT, EVENT_MINUTE, Scenario, run
from webtier.drill.tier import Egress, LaunchHook, RollingUpdate, Tracking

ASSUMED = Assumptions()
_TIER = reading.read(page.default(), reading.stand_ins(page.default()))


@st.composite
def tiers(draw):
    """Templates of all sorts, most of them unwise."""
    zones = tuple(f"us-east-1{letter}" for letter in "abc"[: draw(st.integers(1, 3))])
    least = draw(st.integers(1, 6))
    most = least + draw(st.integers(0, 10))
    policies = [
        Tracking("OnCpu", "cpu", draw(st.integers(10, 100))),
        Tracking("OnRequests", "requests", draw(st.integers(100, 8000))),
    ]
    update = RollingUpdate(
        min_in_service=draw(st.integers(0, most)),
        batch=draw(st.integers(1, 4)),
        pause=draw(st.sampled_from([0, 60, 300])),
        signals=draw(st.booleans()),
        success_percent=draw(st.sampled_from([0, 50, 100])),
        suspended=draw(st.sampled_from([frozenset(), frozenset({"HealthCheck"})])),
    )
    return replace(
        _TIER,
        group=replace(
            _TIER.group,
            zones=zones,
            min_size=least,
            max_size=most,
            desired=draw(st.integers(least, most)),
            elb_checks=draw(st.booleans()),
            grace=draw(st.sampled_from([0, 60, 300])),
            warm_up=draw(st.sampled_from([0, 60, 300])),
            detailed_monitoring=draw(st.booleans()),
            policies=tuple(policies[: draw(st.integers(0, 2))]),
            update=draw(st.sampled_from([None, update])),
            on_demand_percent=draw(st.sampled_from([0, 50, 100])),
            hook=draw(
                st.sampled_from(
                    [None, *(LaunchHook("Hook", time, on) for time in (60, 300) for on in (0, 1))]
                )
            ),
            healthy_percent=draw(st.sampled_from([None, (90, 100), (100, 150), (100, 200)])),
            signals_in_service=draw(st.booleans()),
        ),
        balancer=replace(
            _TIER.balancer,
            zones=zones,
            interval=draw(st.sampled_from([6, 10, 30])),
            healthy=draw(st.integers(2, 10)),
            unhealthy=draw(st.integers(2, 10)),
            deregistration=draw(st.sampled_from([0, 30, 300])),
            slow_start=draw(st.sampled_from([0, 30, 120])),
            cross_zone=draw(st.booleans()),
        ),
        egress=tuple(
            Egress(zone, "Route", "Nat", frozenset({draw(st.sampled_from(zones))}))
            for zone in zones
        ),
    )


@settings(max_examples=40, deadline=None)
@given(
    tiers(),
    st.sampled_from(sorted(set(DRILLS) - {"fill-disk"})),
    st.floats(1, 200),
    st.floats(0.2, 1),
)
def test_nothing_is_lost_and_nothing_made_up(tier, name, strength, share) -> None:
    assumed = replace(ASSUMED, requests_per_vcpu=strength, load_share=share)
    for found in DRILLS[name].runs(tier, assumed):
        for minute in found.minutes:
            assert minute.served + minute.errors == pytest.approx(minute.offered)
            parts = (minute.served, minute.unreachable, minute.balancer, minute.application)
            assert min(*parts, minute.cut, minute.latency, minute.slow) >= 0
            assert minute.cut <= minute.balancer + 1e-9
            assert 0 <= minute.cpu <= 1 + 1e-9
            assert 0 <= minute.fewest <= tier.group.max_size
            assert sum(minute.zones.values()) <= tier.group.max_size
            assert minute.desired <= tier.group.max_size
        assert all(0 <= ready <= tier.group.max_size for ready in found.ready)


@settings(max_examples=30, deadline=None)
@given(tiers(), st.sampled_from([Version.GOOD, Version.BROKEN]))
def test_a_deployment_keeps_as_many_as_it_must(tier, version) -> None:
    update = tier.group.update
    seen: list[int] = []
    fleet = Fleet(tier, ASSUMED, lambda _what: seen.append(len(fleet.members)))
    fleet.now = 1.0
    deployment = Deployment(fleet, version)
    for number in range(1, 3600):
        fleet.now = float(number)
        fleet.step()
        deployment.step()
        assert len(fleet.members) <= tier.group.max_size
        if update is not None and not deployment.finished:
            assert len(fleet.members) >= min(update.min_in_service, fleet.tier.group.desired)
    if update is not None and update.signals and version is Version.BROKEN:
        # Whatever the settings, a version that reports failure is never all there is, unless they
        # say that failures do not matter.
        assert update.success_percent < 100 or not deployment.finished or deployment.rolled_back


@settings(max_examples=15, deadline=None)
@given(
    st.floats(0.05, 0.95),
    st.floats(0.3, 12),
    st.integers(20, 400),
    st.one_of(st.none(), st.integers(20, 600)),
)
def test_a_disk_never_holds_more_than_it_has(used, growth, size, maximum) -> None:
    database = replace(
        _TIER.database,
        allocated=float(size),
        maximum=None if maximum is None or maximum <= size else float(maximum),
    )
    assumed = replace(ASSUMED, disk_used_share=used, disk_growth_gib_per_hour=growth)
    found = fill(replace(_TIER, database=database, alarms=()), assumed)
    most = database.maximum or database.allocated
    assert all(-1e-9 <= minute.free_gib <= most for minute in found.minutes)
    if math.isfinite(found.full):
        # What fits without a pause is the least there is.
        assert found.full / 3600 >= size * (1 - used) / growth - 1 / 60
    else:
        assert len(found.minutes) == 14 * 24 * 60


def scenario(strike, minutes: int = 30) -> Scenario:
    return Scenario("test", minutes, strike)


def test_a_hung_instance_is_found_after_its_thresholds(tier) -> None:
    def hang(fleet: Fleet) -> None:
        fleet.members[0].hung = True

    found = run(tier, ASSUMED, scenario(hang))
    told = {one.what: one.second - EVENT for one in found.told}
    # It passed the check of that second: three more begin every 10 s, and time out after 5 s.
    assert told["i-1 is unhealthy: it gets no more requests"] == 3 * 10 + 5
    assert told["Group replaces i-1"] == 35 + ASSUMED.replacement_seconds
    assert told["i-3 is launched in us-east-1a"] == told["Group replaces i-1"]


def test_a_grace_period_that_is_too_short_replaces_for_ever(tier) -> None:
    impatient = replace(tier, group=replace(tier.group, grace=0, hook=None))
    assumed = replace(ASSUMED, boot_seconds=240)

    def lose(fleet: Fleet) -> None:
        fleet.members[0].hung = True

    found = run(impatient, assumed, scenario(lose))
    assert found.ready[-1] == 1
    assert sum(" replaces " in one.what for one in found.told) > 3


def test_an_instance_is_no_target_before_it_answers(tier) -> None:
    assert tier.group.hook == LaunchHook("Group", 300)
    (hooked,) = DRILLS["good-version"].runs(tier, ASSUMED)
    bare = replace(tier, group=replace(tier.group, hook=None))
    (early,) = DRILLS["good-version"].runs(bare, ASSUMED)
    alarms = [{one.alarm for one in found.changes} for found in (hooked, early)]
    assert alarms == [set(), {"UnhealthyHostsAlarm"}]


def test_a_launch_that_fails_is_abandoned_and_made_again(tier) -> None:
    (found,) = DRILLS["start-nothing"].runs(tier, ASSUMED)
    gives_up = ASSUMED.boot_seconds + ASSUMED.failure_signal_seconds
    given_up = [one.second - EVENT for one in found.told if "is abandoned" in one.what]
    launched = [one.second - EVENT for one in found.told if "is launched" in one.what]
    # Each a moment after it has told so, and the next one at once.
    assert given_up[0] == launched[0] + gives_up + found.step
    assert launched[1:] == given_up
    assert all(minute.fewest == 1 for minute in found.minutes[EVENT_MINUTE + 1 :])


def test_a_launch_that_cannot_tell_is_abandoned_when_its_time_is_over(tier) -> None:
    cut_off = replace(tier, egress=tuple(replace(way, through=frozenset()) for way in tier.egress))
    found = run(cut_off, ASSUMED, scenario(lambda fleet: fleet.terminate(fleet.members[0])))
    given_up = [one.second for one in found.told if "is abandoned" in one.what]
    launched = [one.second for one in found.told if "is launched" in one.what]
    assert given_up[0] == launched[0] + 300 + found.step
    goes_on = replace(cut_off, group=replace(tier.group, hook=LaunchHook("Group", 300, True)))
    found = run(goes_on, ASSUMED, scenario(lambda fleet: fleet.terminate(fleet.members[0])))
    assert not [one for one in found.told if "is abandoned" in one.what]


def test_the_old_one_goes_when_the_new_one_is_ready_where_all_capacity_is_kept(tier) -> None:
    def hang(fleet: Fleet) -> None:
        fleet.members[0].hung = True

    assert tier.group.healthy_percent == (100, 150)
    told = {one.what: one.second for one in run(tier, ASSUMED, scenario(hang)).told}
    assert told["i-1 is terminated"] > told["i-3 is healthy"] + tier.group.warm_up - 10
    lavish = replace(tier, group=replace(tier.group, healthy_percent=None))
    told = {one.what: one.second for one in run(lavish, ASSUMED, scenario(hang)).told}
    assert told["i-3 is launched in us-east-1a"] == told["Group replaces i-1"]
    assert "i-1 is terminated" not in told
    full = replace(tier, group=replace(tier.group, max_size=2))
    told = {one.what: one.second for one in run(full, ASSUMED, scenario(hang)).told}
    assert "i-1 is terminated" not in told, "there is no room for another one first"


def test_with_no_healthy_target_all_of_them_get_requests(tier) -> None:
    deep = replace(tier, balancer=replace(tier.balancer, path="/ready"))
    found = run(deep, ASSUMED, scenario(lambda fleet: fleet.lose_database(40)))
    # The load balancer fails open: requests without the database are served all along.
    first = found.minutes[EVENT_MINUTE]
    assert 0.4 < first.served / first.offered < 0.8


def test_slow_start_gives_a_new_target_fewer_requests(tier) -> None:
    ramped = replace(tier, balancer=replace(tier.balancer, slow_start=300.0))

    def lose(fleet: Fleet) -> None:
        fleet.members[0].hung = True

    plain, slow = (run(one, ASSUMED, scenario(lose)) for one in (tier, ramped))
    after = EVENT_MINUTE + 4
    assert slow.minutes[after].slow > plain.minutes[after].slow


def test_basic_monitoring_scales_a_quarter_of_an_hour_later(tier) -> None:
    on_cpu = replace(
        tier, group=replace(tier.group, policies=(Tracking("OnCpu", "cpu", 40.0),), max_size=20)
    )
    basic = replace(on_cpu, group=replace(on_cpu.group, detailed_monitoring=False))
    (quick,), (late,) = (DRILLS["triple-traffic"].runs(one, ASSUMED) for one in (on_cpu, basic))
    first, second = (
        next(one.second for one in found.told if "sets the capacity" in one.what)
        for found in (quick, late)
    )
    assert second - first >= 10 * 60


def test_both_policies_must_agree_to_scale_in(tier) -> None:
    keep = replace(
        tier,
        group=replace(
            tier.group, policies=tuple(replace(one, scale_in=False) for one in tier.group.policies)
        ),
    )
    (found,) = DRILLS["triple-traffic"].runs(keep, ASSUMED)
    assert found.minutes[-1].desired == max(minute.desired for minute in found.minutes)
    (shrinks,) = DRILLS["triple-traffic"].runs(tier, ASSUMED)
    assert shrinks.minutes[-1].desired == tier.group.min_size


def test_storage_waits_six_hours_to_grow_again(tier) -> None:
    found = fill(tier, replace(ASSUMED, disk_growth_gib_per_hour=4.0))
    grown = [one.second / 3600 for one in found.told if "grows" in one.what]
    gaps = [later - earlier for earlier, later in itertools.pairwise(grown)]
    assert gaps
    assert min(gaps) >= 6


def test_the_alarm_of_another_resource_hears_nothing(tier) -> None:
    def elsewhere(alarm):
        dimensions = [{"Name": "LoadBalancer", "Value": "another"}]
        return replace(alarm, properties={**alarm.properties, "Dimensions": dimensions})

    mistaken = replace(tier, alarms=tuple(elsewhere(alarm) for alarm in tier.alarms))
    (found,) = DRILLS["lose-database"].runs(mistaken, ASSUMED)
    errors = {"ApplicationErrorsAlarm", "LoadBalancerErrorsAlarm", "UnhealthyHostsAlarm"}
    assert not errors & {change.alarm for change in found.changes}
