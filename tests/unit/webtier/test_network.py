from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

from tests.unit.webtier.strategies import Resources, for_any_options
from webtier import network
from webtier.options import Nat, Options

WORLD = "0.0.0.0/0"
NOWHERE = "127.0.0.1/32"


def tier_of(title: str) -> str:
    return title.removesuffix("Routes").split("Subnet")[0]


def of_type(resources: Resources, kind: str) -> dict[str, dict[str, Any]]:
    return {
        title: resource["Properties"]
        for title, resource in resources.items()
        if resource["Type"] == kind
    }


def routes_of(resources: Resources, subnet: str) -> list[dict[str, Any]]:
    """The routes of the table a subnet is associated with."""
    (table,) = (
        association["RouteTableId"]
        for association in of_type(resources, "AWS::EC2::SubnetRouteTableAssociation").values()
        if association["SubnetId"] == {"Ref": subnet}
    )
    routes = of_type(resources, "AWS::EC2::Route").values()
    return [route for route in routes if route["RouteTableId"] == table]


def subnets_of(resources: Resources, tier: str) -> list[str]:
    return [title for title in of_type(resources, "AWS::EC2::Subnet") if tier_of(title) == tier]


@for_any_options
def test_subnets_are_in_the_vpc_without_overlap_one_a_zone(
    options: Options, resources: Resources
) -> None:
    subnets = of_type(resources, "AWS::EC2::Subnet")
    ranges = [IPv4Network(subnet["CidrBlock"]) for subnet in subnets.values()]
    assert len(ranges) == 2 * options.zones + options.data_zones
    assert all(subnet.subnet_of(options.vpc_cidr) for subnet in ranges)
    assert not any(one.overlaps(other) for one in ranges for other in ranges if one is not other)
    for tier, zones in (("Public", 0), ("Application", 0), ("Data", options.data_zones)):
        places = [
            subnets[title]["AvailabilityZone"]["Fn::Select"][0]
            for title in subnets_of(resources, tier)
        ]
        assert places == list(range(zones or options.zones))


def test_a_subnet_leaves_room_for_the_load_balancer() -> None:
    """Application Load Balancers, "Subnets for your load balancer": /27, eight free addresses."""
    smallest = IPv4Network("192.168.0.0/22")
    subnet = next(smallest.subnets(prefixlen_diff=network.SUBNET_BITS))
    assert subnet.prefixlen <= 27


@for_any_options
def test_data_subnets_have_no_route_out_of_the_vpc(resources: Resources) -> None:
    for subnet in subnets_of(resources, "Data"):
        assert routes_of(resources, subnet) == []
    for endpoint in of_type(resources, "AWS::EC2::VPCEndpoint").values():
        assert {"Ref": "DataRoutes"} not in endpoint.get("RouteTableIds", [])


@for_any_options
def test_application_subnets_leave_through_nat_gateways_or_not_at_all(
    options: Options, resources: Resources
) -> None:
    gateways = of_type(resources, "AWS::EC2::NatGateway")
    assert len(gateways) == {Nat.PER_ZONE: options.zones, Nat.ONE: 1, Nat.NONE: 0}[options.nat]
    for subnet in subnets_of(resources, "Application"):
        routes = routes_of(resources, subnet)
        if options.nat is Nat.NONE:
            assert routes == []
            continue
        (route,) = routes
        place = gateways[route["NatGatewayId"]["Ref"]]["SubnetId"]["Ref"]
        assert tier_of(place) == "Public"
        if options.nat is Nat.PER_ZONE:
            zones = [resources[one]["Properties"]["AvailabilityZone"] for one in (place, subnet)]
            assert zones[0] == zones[1]


@for_any_options
def test_only_public_subnets_reach_the_internet_gateway(resources: Resources) -> None:
    for tier, direct in (("Public", True), ("Application", False), ("Data", False)):
        for subnet in subnets_of(resources, tier):
            assert any("GatewayId" in route for route in routes_of(resources, subnet)) is direct
            assert resources[subnet]["Properties"]["MapPublicIpOnLaunch"] is False


@for_any_options
def test_each_tier_is_in_its_own_subnets(resources: Resources) -> None:
    def tiers(references: list[dict[str, str]]) -> set[str]:
        return {tier_of(reference["Ref"]) for reference in references}

    assert tiers(resources["LoadBalancer"]["Properties"]["Subnets"]) == {"Public"}
    assert tiers(resources["Group"]["Properties"]["VPCZoneIdentifier"]) == {"Application"}
    assert tiers(resources["DatabaseSubnets"]["Properties"]["SubnetIds"]) == {"Data"}


@for_any_options
def test_security_groups_name_each_other_and_address_ranges_only_at_the_edge(
    options: Options, resources: Resources
) -> None:
    ranges: dict[tuple[str, str], list[Any]] = {}
    for title, group in of_type(resources, "AWS::EC2::SecurityGroup").items():
        for way in ("SecurityGroupIngress", "SecurityGroupEgress"):
            for rule in group[way]:
                if "CidrIp" in rule:
                    ranges.setdefault((title, way), []).append(rule["CidrIp"])
    inside = {place: given for place, given in ranges.items() if set(map(str, given)) != {NOWHERE}}
    clients = 1 if options.plain_http else 2
    edge = {
        ("LoadBalancerSecurityGroup", "SecurityGroupIngress"): [{"Ref": "ClientCidr"}] * clients
    }
    if options.nat is not Nat.NONE:
        edge["ApplicationSecurityGroup", "SecurityGroupEgress"] = [WORLD]
    assert inside == edge
    for kind in ("AWS::EC2::SecurityGroupEgress", "AWS::EC2::SecurityGroupIngress"):
        for rule in of_type(resources, kind).values():
            assert not {"CidrIp", "CidrIpv6"} & rule.keys()


@for_any_options
def test_the_only_ways_in_are_the_ports_of_each_tier(
    options: Options, resources: Resources
) -> None:
    ways = {
        title: sorted(rule["ToPort"] for rule in group["SecurityGroupIngress"])
        for title, group in of_type(resources, "AWS::EC2::SecurityGroup").items()
    }
    assert ways == {
        "LoadBalancerSecurityGroup": [80] if options.plain_http else [80, 443],
        "ApplicationSecurityGroup": [8443],
        "DatabaseSecurityGroup": [5432],
        **({"EndpointsSecurityGroup": [443]} if options.nat is Nat.NONE else {}),
    }


@for_any_options
def test_every_group_has_an_egress_rule_of_its_own(resources: Resources) -> None:
    """Without one, a group lets everything out (AWS::EC2::SecurityGroupEgress)."""
    for group in of_type(resources, "AWS::EC2::SecurityGroup").values():
        assert group["SecurityGroupEgress"]


@for_any_options
def test_without_internet_every_service_an_instance_calls_has_an_endpoint(
    options: Options, resources: Resources
) -> None:
    endpoints = {
        endpoint["ServiceName"]["Fn::Sub"].rpartition(".")[2]: endpoint
        for endpoint in of_type(resources, "AWS::EC2::VPCEndpoint").values()
    }
    if options.nat is not Nat.NONE:
        assert set(endpoints) == {"s3"}
        return
    role = resources["ApplicationRole"]["Properties"]
    called = {
        action.split(":")[0]
        for policy in role["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        for action in statement["Action"]
    }
    # Signing in to the database needs no call, decrypting the secret is Secrets Manager's.
    assert set(endpoints) == called - {"rds-db", "kms"} | {"s3", "cloudformation"}
    for service, endpoint in endpoints.items():
        assert "Statement" in endpoint["PolicyDocument"], service
        if service != "s3":
            assert endpoint["PrivateDnsEnabled"] is True
            assert len(endpoint["SubnetIds"]) == options.zones
    waited_for = resources["Group"]["DependsOn"]
    assert set(of_type(resources, "AWS::EC2::VPCEndpoint")) <= set(waited_for)
