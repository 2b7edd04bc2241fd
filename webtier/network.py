"""The network: a VPC over several zones, each with a public, an application and a data subnet.

Application subnets reach out through a NAT gateway, or nowhere but to AWS's own services. Data
subnets have no route out of the VPC at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from troposphere import GetAtt, GetAZs, Ref, Select, ec2

from .exemptions import exempt
from .options import Nat

if TYPE_CHECKING:
    from ipaddress import IPv4Network

    from troposphere import AWSObject

    from .options import Options

# Each VPC range is cut into 16 subnets; a tier takes four, one per zone with room to grow.
SUBNET_BITS = 4
SUBNETS_PER_TIER = 4
_TIERS = ("Public", "Application", "Data")
_LETTERS = "ABC"

_DEFAULT_GROUP = (
    "VPCDefaultSecurityGroupClosed",
    (
        "A custom resource closes it, DefaultSecurityGroup; the rule knows only the one that the "
        "AWS CDK makes."
    ),
)


@dataclass(frozen=True)
class Network:
    """What the other tiers need of the network, and all its resources.

    `application_routes` are the route tables of the application subnets, `nat_routes` their ways
    to the internet: none without a NAT gateway.
    """

    vpc: ec2.VPC
    gateway_attachment: ec2.VPCGatewayAttachment
    public_subnets: tuple[ec2.Subnet, ...]
    application_subnets: tuple[ec2.Subnet, ...]
    data_subnets: tuple[ec2.Subnet, ...]
    application_routes: tuple[ec2.RouteTable, ...]
    nat_gateways: tuple[ec2.NatGateway, ...]
    nat_routes: tuple[ec2.Route, ...]
    resources: tuple[AWSObject, ...]


def build(options: Options) -> Network:
    """The network on the first `zones` availability zones of the region."""
    vpc = ec2.VPC(
        "Vpc",
        CidrBlock=str(options.vpc_cidr),
        EnableDnsHostnames=True,
        EnableDnsSupport=True,
        Metadata=exempt(_DEFAULT_GROUP),
    )
    gateway = ec2.InternetGateway("InternetGateway")
    attachment = ec2.VPCGatewayAttachment(
        "InternetGatewayAttachment", VpcId=Ref(vpc), InternetGatewayId=Ref(gateway)
    )
    public, application, data = (
        _subnets(vpc, options.vpc_cidr, tier, zones)
        for tier, zones in zip(
            _TIERS, (options.zones, options.zones, options.data_zones), strict=True
        )
    )
    public_routes, data_routes = (
        ec2.RouteTable(title, VpcId=Ref(vpc)) for title in ("PublicRoutes", "DataRoutes")
    )
    public_route = ec2.Route(
        "PublicDefaultRoute",
        RouteTableId=Ref(public_routes),
        DestinationCidrBlock="0.0.0.0/0",
        GatewayId=Ref(gateway),
        DependsOn=attachment,
        Metadata=exempt(
            (
                "VPCNoUnrestrictedRouteToIGW",
                (
                    "The way of the load balancer's clients; only it and NAT gateways are in the "
                    "public subnets."
                ),
            )
        ),
    )
    application_routes = tuple(
        ec2.RouteTable(f"ApplicationRoutes{letter}", VpcId=Ref(vpc))
        for letter in _LETTERS[: options.zones]
    )
    homes = public[: _nat_gateways(options)]
    addresses = [
        ec2.EIP(f"NatAddress{letter}", Domain="vpc", DependsOn=attachment)
        for letter, _ in zip(_LETTERS, homes, strict=False)
    ]
    gateways = tuple(
        ec2.NatGateway(
            f"NatGateway{letter}",
            AllocationId=GetAtt(address, "AllocationId"),
            SubnetId=Ref(subnet),
        )
        for letter, address, subnet in zip(_LETTERS, addresses, homes, strict=False)
    )
    nat_routes = tuple(
        ec2.Route(
            f"ApplicationDefaultRoute{letter}",
            RouteTableId=Ref(routes),
            DestinationCidrBlock="0.0.0.0/0",
            NatGatewayId=Ref(gateways[min(zone, len(gateways) - 1)]),
        )
        for zone, (letter, routes) in enumerate(zip(_LETTERS, application_routes, strict=False))
        if gateways
    )
    return Network(
        vpc=vpc,
        gateway_attachment=attachment,
        public_subnets=public,
        application_subnets=application,
        data_subnets=data,
        application_routes=application_routes,
        nat_gateways=gateways,
        nat_routes=nat_routes,
        resources=(
            *(vpc, gateway, attachment, public_routes, public_route, data_routes),
            *(*public, *application, *data),
            *(*addresses, *gateways, *application_routes, *nat_routes),
            *(_association(subnet, public_routes) for subnet in public),
            *map(_association, application, application_routes),
            *(_association(subnet, data_routes) for subnet in data),
        ),
    )


def _nat_gateways(options: Options) -> int:
    return {Nat.PER_ZONE: options.zones, Nat.ONE: 1, Nat.NONE: 0}[options.nat]


def _subnets(vpc: ec2.VPC, vpc_cidr: IPv4Network, tier: str, zones: int) -> tuple[ec2.Subnet, ...]:
    """A tier's subnet in each zone, at places of the range that other tiers and zones never take.

    So a zone more or another kind of database moves no subnet that is already there.
    """
    ranges = list(vpc_cidr.subnets(prefixlen_diff=SUBNET_BITS))
    first = _TIERS.index(tier) * SUBNETS_PER_TIER
    return tuple(
        ec2.Subnet(
            f"{tier}Subnet{letter}",
            VpcId=Ref(vpc),
            AvailabilityZone=Select(zone, GetAZs("")),
            CidrBlock=str(ranges[first + zone]),
            MapPublicIpOnLaunch=False,
        )
        for zone, letter in enumerate(_LETTERS[:zones])
    )


def _association(subnet: ec2.Subnet, routes: ec2.RouteTable) -> ec2.SubnetRouteTableAssociation:
    return ec2.SubnetRouteTableAssociation(
        f"{subnet.title}Routes", SubnetId=Ref(subnet), RouteTableId=Ref(routes)
    )
