from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from webtier import network
from webtier.build import Options, template

WORLD = "0.0.0.0/0"


@st.composite
def private_ranges(draw: st.DrawFn) -> IPv4Network:
    prefix = draw(st.integers(16, 22))
    parent = draw(st.sampled_from(["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]))
    private = IPv4Network(parent)
    position = draw(st.integers(0, 2 ** (prefix - private.prefixlen) - 1))
    address = int(private.network_address) + position * 2 ** (32 - prefix)
    return IPv4Network((address, prefix))


def tier_of(title: str) -> str:
    return title.removesuffix("Routes").split("Subnet")[0]


@given(cidr=private_ranges(), zones=st.sampled_from([2, 3]))
@settings(max_examples=25, deadline=None)
def test_subnets_fill_the_vpc_without_overlap_in_every_zone(cidr: IPv4Network, zones: int) -> None:
    resources = template(Options(zones, cidr)).to_dict()["Resources"]
    subnets = {
        title: resource["Properties"]
        for title, resource in resources.items()
        if resource["Type"] == "AWS::EC2::Subnet"
    }
    ranges = [IPv4Network(subnet["CidrBlock"]) for subnet in subnets.values()]
    assert len(ranges) == 3 * zones
    assert all(subnet.subnet_of(cidr) for subnet in ranges)
    assert not any(one.overlaps(other) for one in ranges for other in ranges if one is not other)
    for tier in ("Public", "Application", "Data"):
        places = [
            subnet["AvailabilityZone"]["Fn::Select"][0]
            for title, subnet in subnets.items()
            if tier_of(title) == tier
        ]
        assert places == list(range(zones))


def test_a_subnet_leaves_room_for_the_load_balancer() -> None:
    """Application Load Balancers, "Subnets for your load balancer": /27, eight free addresses."""
    smallest = IPv4Network("192.168.0.0/22")
    subnet = next(smallest.subnets(prefixlen_diff=network.SUBNET_BITS))
    assert subnet.prefixlen <= 27


def routes_of(resources: dict[str, Any], subnet: str) -> list[dict[str, Any]]:
    """The routes of the table a subnet is associated with."""
    (table,) = (
        resource["Properties"]["RouteTableId"]
        for resource in resources.values()
        if resource["Type"] == "AWS::EC2::SubnetRouteTableAssociation"
        and resource["Properties"]["SubnetId"] == {"Ref": subnet}
    )
    return [
        resource["Properties"]
        for resource in resources.values()
        if resource["Type"] == "AWS::EC2::Route" and resource["Properties"]["RouteTableId"] == table
    ]


def subnets_of(resources: dict[str, Any], tier: str) -> list[str]:
    found = [
        title
        for title, resource in resources.items()
        if resource["Type"] == "AWS::EC2::Subnet" and tier_of(title) == tier
    ]
    assert found
    return found


def test_data_subnets_have_no_route_out_of_the_vpc(resources: dict[str, Any]) -> None:
    for subnet in subnets_of(resources, "Data"):
        assert routes_of(resources, subnet) == []


def test_application_subnets_leave_through_the_nat_gateway_of_their_zone(
    resources: dict[str, Any],
) -> None:
    for subnet in subnets_of(resources, "Application"):
        (route,) = routes_of(resources, subnet)
        gateway = resources[route["NatGatewayId"]["Ref"]]["Properties"]
        placed = resources[gateway["SubnetId"]["Ref"]]["Properties"]
        assert tier_of(gateway["SubnetId"]["Ref"]) == "Public"
        assert placed["AvailabilityZone"] == resources[subnet]["Properties"]["AvailabilityZone"]


def test_only_public_subnets_reach_the_internet_gateway(resources: dict[str, Any]) -> None:
    for tier, direct in (("Public", True), ("Application", False), ("Data", False)):
        for subnet in subnets_of(resources, tier):
            assert any("GatewayId" in route for route in routes_of(resources, subnet)) is direct
            assert resources[subnet]["Properties"]["MapPublicIpOnLaunch"] is False


def test_each_tier_is_in_its_own_subnets(resources: dict[str, Any]) -> None:
    def tiers(references: list[dict[str, str]]) -> set[str]:
        return {tier_of(reference["Ref"]) for reference in references}

    assert tiers(resources["LoadBalancer"]["Properties"]["Subnets"]) == {"Public"}
    assert tiers(resources["Group"]["Properties"]["VPCZoneIdentifier"]) == {"Application"}
    assert tiers(resources["DatabaseSubnets"]["Properties"]["SubnetIds"]) == {"Data"}


def test_security_groups_name_each_other_and_address_ranges_only_at_the_edge(
    resources: dict[str, Any],
) -> None:
    ranges = {}
    for title, resource in resources.items():
        if resource["Type"] == "AWS::EC2::SecurityGroup":
            properties = resource["Properties"]
            for way in ("SecurityGroupIngress", "SecurityGroupEgress"):
                for rule in properties[way]:
                    if "CidrIp" in rule:
                        ranges.setdefault((title, way), []).append(rule["CidrIp"])
    nowhere = ["127.0.0.1/32"]
    assert ranges == {
        ("LoadBalancerSecurityGroup", "SecurityGroupIngress"): [{"Ref": "ClientCidr"}] * 2,
        ("LoadBalancerSecurityGroup", "SecurityGroupEgress"): nowhere,
        ("ApplicationSecurityGroup", "SecurityGroupEgress"): [WORLD],
        ("DatabaseSecurityGroup", "SecurityGroupEgress"): nowhere,
    }


def test_the_only_ways_in_are_the_ports_of_each_tier(resources: dict[str, Any]) -> None:
    ways = {
        title: sorted(rule["ToPort"] for rule in resource["Properties"]["SecurityGroupIngress"])
        for title, resource in resources.items()
        if resource["Type"] == "AWS::EC2::SecurityGroup"
    }
    assert ways == {
        "LoadBalancerSecurityGroup": [80, 443],
        "ApplicationSecurityGroup": [8443],
        "DatabaseSecurityGroup": [5432],
    }
