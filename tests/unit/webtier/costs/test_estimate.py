"""What a template costs, against figures worked out by hand from the list prices."""

from __future__ import annotations

import copy
import dataclasses
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings

from tests.unit.webtier.combinations import covering
from tests.unit.webtier.strategies import any_options
from webtier.build import template
from webtier.costs import estimate, prices
from webtier.costs.estimate import Estimate
from webtier.drill import reading
from webtier.drill.tier import TemplateError
from webtier.options import Architecture, Database, Nat, Options

Body = dict[str, Any]
TABLE = prices.load()
DEFAULT = Options()


def body_of(options: Options = DEFAULT) -> Body:
    body: Body = json.loads(json.dumps(template(options).to_dict()))
    return body


def month(body: Body, **parameters: str) -> Estimate:
    return estimate.month(body, TABLE, {**reading.stand_ins(body), **parameters})


def of(options: Options = DEFAULT, **parameters: str) -> Estimate:
    return month(body_of(options), **parameters)


def lines(found: Estimate) -> dict[str, tuple[int, Decimal]]:
    return {line.what: (line.count, line.usd) for line in found.fixed}


def test_the_default_is_what_it_is_by_hand() -> None:
    found = of()
    # 730 hours: 0.129, 2 × 0.045, 2 × 0.0168, 0.0225, 2 × 0.005 and again 2 × 0.005.
    assert lines(found) == {
        "database db.t4g.medium with a standby": (1, Decimal("94.17")),
        "NAT gateways": (2, Decimal("65.70")),
        "instances t4g.small": (2, Decimal("24.53")),
        "Application Load Balancer": (1, Decimal("16.43")),
        "elastic addresses": (2, Decimal("7.30")),
        "public addresses of the load balancer": (2, Decimal("7.30")),
        # 20 GB at 0.23; 2 × 8 GB at 0.08.
        "GB of gp3 database storage with a standby": (20, Decimal("4.60")),
        "GB of gp3 volumes": (16, Decimal("1.28")),
        "AWS WAF web ACL": (1, Decimal("5.00")),
        "AWS WAF rules": (3, Decimal("3.00")),
        # 2 instances with 7 metrics at 0.30.
        "metrics of detailed monitoring": (14, Decimal("4.20")),
        "metrics of alarms": (len(alarms()), len(alarms()) * Decimal("0.10")),
        "alarms of the scaling policies": (4, Decimal("0.40")),
        "dashboards": (1, Decimal("3.00")),
        "KMS keys": (1, Decimal("1.00")),
        "secrets": (1, Decimal("0.40")),
    }
    assert found.usd == Decimal("238.31") + len(alarms()) * Decimal("0.10")
    assert found.unknown == ()


def alarms() -> list[str]:
    resources = body_of()["Resources"]
    return [name for name, one in resources.items() if one["Type"] == "AWS::CloudWatch::Alarm"]


def test_one_more_instance_is_its_hours_its_volume_and_its_metrics() -> None:
    found = of()
    (more,) = (one for one in found.usage if one.what.startswith("an instance more"))
    # 730 × 0.0168 + 8 × 0.08 + 7 × 0.30 = 12.264 + 0.64 + 2.10
    assert (more.usd, more.per) == (Decimal("15.00"), "month")
    larger = of(MinCapacity="3")
    assert larger.usd - found.usd == pytest.approx(more.usd, abs=Decimal("0.02"))


def test_the_parameters_count() -> None:
    found = of(MinCapacity="4", InstanceType="m7g.large", DatabaseClass="db.m7g.large")
    # 4 × 730 × 0.0816; 730 × 0.337
    assert lines(found)["instances m7g.large"] == (4, Decimal("238.27"))
    assert lines(found)["database db.m7g.large with a standby"] == (1, Decimal("246.01"))


@pytest.mark.parametrize(
    ("change", "usd"),
    [
        # One NAT gateway, its address and its alarm less: 730 × (0.045 + 0.005) + 0.10.
        ({"nat": Nat.ONE}, "-36.60"),
        # Two of those less, four endpoints in two zones more: 8 × 730 × 0.01.
        ({"nat": Nat.NONE}, "14.40"),
        # A NAT gateway, its address and alarm, and the load balancer's address in a third zone.
        ({"zones": 3}, "55.25"),
        # The web ACL, three rules, and the alarm on turned away requests.
        ({"firewall": False}, "-8.10"),
        # 2 × 730 × (0.0208 − 0.0168)
        ({"architecture": Architecture.X86_64}, "5.84"),
        ({"storage_gib": 120}, "23.00"),
        # 730 × 0.065 + 20 × 0.115, and six alarms that watch it.
        ({"database": Database.REPLICA}, "50.35"),
        ({"plain_http": True}, "0"),
        ({"backup_days": 35}, "0"),
        ({"deletion_protection": False}, "0"),
    ],
    ids=str,
)
def test_an_option_costs_what_it_does_by_hand(change: dict[str, Any], usd: str) -> None:
    found = of(dataclasses.replace(Options(), **change))
    assert found.usd - of().usd == Decimal(usd)
    assert found.unknown == ()


def test_what_a_cluster_costs_is_not_known_and_not_guessed() -> None:
    found = of(Options(database=Database.CLUSTER))
    assert not [line for line in found.fixed if "database" in line.what]
    assert [one.split(": the table has no ") for one in found.unknown] == [
        ["database db.m6gd.large as a cluster of three", "database/db.m6gd.large/cluster"],
        ["GB of io2 database storage as a cluster of three", "database-storage/io2/cluster"],
        ["IOPS of io2 database storage as a cluster of three", "database-iops/io2/cluster"],
    ]


def test_a_price_for_it_is_all_that_it_needs() -> None:
    hour = TABLE.prices["nat-gateway"]
    names = ("db.m6gd.large", "storage/io2", "iops/io2")
    own = {f"database-{name}/cluster": dataclasses.replace(hour, per="month") for name in names[1:]}
    own["database/db.m6gd.large/cluster"] = hour
    body = body_of(Options(database=Database.CLUSTER))
    table = dataclasses.replace(TABLE, prices={**TABLE.prices, **own})
    found = estimate.month(body, table, reading.stand_ins(body))
    assert found.unknown == ()
    # 100 GiB, and the least number of operations a second.
    counts = {line.what: line.count for line in found.fixed}
    assert counts["GB of io2 database storage as a cluster of three"] == 100
    assert counts["IOPS of io2 database storage as a cluster of three"] == 1000


def test_an_instance_type_without_a_price_is_named() -> None:
    found = of(InstanceType="c8g.medium")
    assert "instances c8g.medium: the table has no instance/c8g.medium" in found.unknown
    assert not any(one.what.startswith("an instance more") for one in found.usage)
    assert "GB of gp3 volumes" in lines(found)


def test_every_type_of_ours_has_a_price_or_is_free() -> None:
    every = (body_of(options)["Resources"].values() for options in covering())
    kinds = {resource["Type"] for resources in every for resource in resources}
    kinds = {kind for kind in kinds if not kind.startswith("Custom::")}
    undecided = kinds - estimate.FREE - estimate.READ.keys()
    assert not undecided, "say in webtier/costs/estimate.py what these cost, or that they are free"


def test_a_type_is_free_or_has_a_price() -> None:
    assert not estimate.FREE & estimate.READ.keys()


def test_a_type_that_nobody_decided_on_is_named() -> None:
    body = body_of()
    body["Resources"]["Cache"] = {"Type": "AWS::ElastiCache::ReplicationGroup"}
    assert month(body).unknown == ("Cache, of the type AWS::ElastiCache::ReplicationGroup",)


def test_what_its_condition_leaves_out_costs_nothing() -> None:
    body = body_of()
    body["Conditions"]["Never"] = {"Fn::Equals": ["a", "b"]}
    body["Resources"]["Dashboard"]["Condition"] = "Never"
    assert "dashboards" not in lines(month(body))


@settings(max_examples=15, deadline=None)
@given(options=any_options())
def test_more_never_costs_less(options: Options) -> None:
    found = of(options)
    assert found.usd == sum(line.usd for line in found.fixed)
    more = [
        dataclasses.replace(options, zones=3),
        dataclasses.replace(options, firewall=True),
        dataclasses.replace(options, storage_gib=options.storage_gib + 100, max_storage_gib=65_536),
    ]
    if options.nat is Nat.ONE:
        more.append(dataclasses.replace(options, nat=Nat.PER_ZONE))
    if options.database is Database.INSTANCE:
        more.append(dataclasses.replace(options, database=Database.REPLICA))
    for other in more:
        assert of(other).usd >= found.usd, other


@pytest.mark.parametrize(
    "kind",
    [
        *("CloudWatch::Alarm", "CloudWatch::Dashboard", "EC2::EIP", "EC2::NatGateway"),
        *("EC2::VPCEndpoint", "ElasticLoadBalancingV2::LoadBalancer", "KMS::Key"),
        *("RDS::DBInstance", "WAFv2::WebACL", "AutoScaling::AutoScalingGroup"),
    ],
)
def test_another_one_of_a_kind_costs_more(kind: str) -> None:
    body = body_of(Options(nat=Nat.NONE) if kind == "EC2::VPCEndpoint" else Options())
    before = month(body).usd
    name = [one for one, found in body["Resources"].items() if found["Type"] == f"AWS::{kind}"][-1]
    body["Resources"]["Another"] = copy.deepcopy(body["Resources"][name])
    assert month(body).usd > before


def test_spot_above_the_fewest_is_not_included() -> None:
    found = of(Options(spot_percent=50))
    assert "Spot Instances: their prices change all the time" in found.missing
    assert lines(found)["instances t4g.small"][0] == 2
    assert found.usd == of().usd


def test_spot_among_the_fewest_is_not_paid_as_on_demand() -> None:
    body = body_of(Options(spot_percent=50))
    group = body["Resources"]["Group"]["Properties"]
    group["MixedInstancesPolicy"]["InstancesDistribution"]["OnDemandBaseCapacity"] = 1
    # One, and half of the other three rounded up.
    counts = lines(month(body, MinCapacity="4"))
    assert counts["instances t4g.small"][0] == 3
    assert counts["GB of gp3 volumes"][0] == 32


def changed(resource: str, **properties: Any) -> Body:
    body = body_of()
    body["Resources"][resource]["Properties"].update(properties)
    return body


def test_a_database_without_a_standby_is_the_half() -> None:
    found = lines(month(changed("Database", MultiAZ=False)))
    assert found["database db.t4g.medium in one zone"] == (1, Decimal("47.45"))
    assert found["GB of gp3 database storage in one zone"] == (20, Decimal("2.30"))


@pytest.mark.parametrize(
    ("body", "unknown"),
    [
        (changed("Database", Engine="mysql"), "Database: a database of the engine mysql"),
        (
            changed("Database", PerformanceInsightsRetentionPeriod=31),
            "Database: Performance Insights for 31 days",
        ),
        (changed("Database", StorageType="io1"), "the table has no database-storage/io1/standby"),
        (changed("LoadBalancer", Type="network"), "LoadBalancer: a load balancer of type network"),
        (changed("LatencyAlarm", Period=10), "LatencyAlarm: a high-resolution alarm"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_the_table_does_not_have_is_named(body: Body, unknown: str) -> None:
    assert any(one.endswith(unknown) for one in month(body).unknown)


def test_an_internal_load_balancer_has_no_public_address() -> None:
    found = month(changed("LoadBalancer", Scheme="internal"))
    assert "public addresses of the load balancer" not in lines(found)
    assert not any("internet" in one.what for one in found.usage)


def test_an_alarm_on_several_metrics_is_paid_for_each() -> None:
    stat = {"MetricStat": {"Metric": {}, "Period": 60, "Stat": "Sum"}}
    queries = [{"Id": "a", **stat}, {"Id": "b", **stat}, {"Id": "c", "Expression": "a / b"}]
    found = lines(month(changed("LatencyAlarm", Metrics=queries)))
    assert found["metrics of alarms"][0] == len(alarms()) + 1


@pytest.mark.parametrize(
    ("body", "parameters", "message"),
    [
        ({}, {}, "this is no CloudFormation template in JSON: it has no Resources"),
        (body_of(), {"MinCapacity": "two"}, "parameter MinCapacity: 'two' is no number"),
        (body_of(), {"MinCapacity": "2.5"}, "Group.MinSize is '2.5': not a whole number"),
        (body_of(), {"Colour": "red"}, "parameter Colour: the template has none of that name"),
        (
            changed("Group", LaunchTemplate={"LaunchTemplateId": "lt-1"}),
            {},
            "is not in the template",
        ),
        (changed("Database", AllocatedStorage={"Ref": "Nothing"}), {}, "cannot be resolved"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_template_that_cannot_be_read_is_one_line(
    body: Body, parameters: dict[str, str], message: str
) -> None:
    with pytest.raises(TemplateError, match=message) as caught:
        month(body, **parameters)
    assert "\n" not in str(caught.value)


def test_a_property_that_is_needed_is_named() -> None:
    body = body_of()
    del body["Resources"]["Database"]["Properties"]["AllocatedStorage"]
    with pytest.raises(TemplateError, match="Database: give its AllocatedStorage"):
        month(body)
