"""The network: a VPC over several zones, each with a public, an application and a data subnet.

Application subnets reach out through the NAT gateway of their own zone. Data subnets have no
route out of the VPC at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from troposphere import GetAtt, GetAZs, Ref, Select, Sub, ec2

from . import artifact_source, policies

if TYPE_CHECKING:
    from ipaddress import IPv4Network

    from troposphere import AWSObject

# Each VPC range is cut into 16 subnets; a tier takes four, one per zone with room to grow.
SUBNET_BITS = 4
SUBNETS_PER_TIER = 4


@dataclass(frozen=True)
class Network:
    """What the other tiers need of the network, and all its resources."""

    vpc: ec2.VPC
    gateway_attachment: ec2.VPCGatewayAttachment
    public_subnets: tuple[ec2.Subnet, ...]
    application_subnets: tuple[ec2.Subnet, ...]
    data_subnets: tuple[ec2.Subnet, ...]
    application_default_routes: tuple[ec2.Route, ...]
    resources: tuple[AWSObject, ...]


@dataclass(frozen=True)
class _Zone:
    public: ec2.Subnet
    application: ec2.Subnet
    data: ec2.Subnet
    application_routes: ec2.RouteTable
    application_default_route: ec2.Route
    resources: tuple[AWSObject, ...]


def build(vpc_cidr: IPv4Network, zones: int) -> Network:
    """The network on the first `zones` availability zones of the region.

    `vpc_cidr` is the VPC's range, large enough for 16 subnets.
    """
    vpc = ec2.VPC("Vpc", CidrBlock=str(vpc_cidr), EnableDnsHostnames=True, EnableDnsSupport=True)
    gateway = ec2.InternetGateway("InternetGateway")
    attachment = ec2.VPCGatewayAttachment(
        "InternetGatewayAttachment", VpcId=Ref(vpc), InternetGatewayId=Ref(gateway)
    )
    public_routes = ec2.RouteTable("PublicRoutes", VpcId=Ref(vpc))
    public_route = ec2.Route(
        "PublicDefaultRoute",
        RouteTableId=Ref(public_routes),
        DestinationCidrBlock="0.0.0.0/0",
        GatewayId=Ref(gateway),
        DependsOn=attachment,
    )
    data_routes = ec2.RouteTable("DataRoutes", VpcId=Ref(vpc))
    ranges = list(vpc_cidr.subnets(prefixlen_diff=SUBNET_BITS))
    built = tuple(
        _zone(index, vpc, attachment, public_routes, data_routes, ranges[index::SUBNETS_PER_TIER])
        for index in range(zones)
    )
    return Network(
        vpc=vpc,
        gateway_attachment=attachment,
        public_subnets=tuple(zone.public for zone in built),
        application_subnets=tuple(zone.application for zone in built),
        data_subnets=tuple(zone.data for zone in built),
        application_default_routes=tuple(zone.application_default_route for zone in built),
        resources=(
            vpc,
            gateway,
            attachment,
            public_routes,
            public_route,
            data_routes,
            *(resource for zone in built for resource in zone.resources),
            _s3_endpoint(vpc, tuple(zone.application_routes for zone in built)),
        ),
    )


def _zone(
    index: int,
    vpc: ec2.VPC,
    attachment: ec2.VPCGatewayAttachment,
    public_routes: ec2.RouteTable,
    data_routes: ec2.RouteTable,
    ranges: list[IPv4Network],
) -> _Zone:
    """One zone's subnets, in the first three of its `ranges`, with its own NAT gateway."""
    letter = "ABCD"[index]
    availability_zone = Select(index, GetAZs(""))
    public, application, data = (
        ec2.Subnet(
            f"{tier}Subnet{letter}",
            VpcId=Ref(vpc),
            AvailabilityZone=availability_zone,
            CidrBlock=str(cidr),
            MapPublicIpOnLaunch=False,
        )
        for tier, cidr in zip(("Public", "Application", "Data"), ranges, strict=False)
    )
    address = ec2.EIP(f"NatAddress{letter}", Domain="vpc", DependsOn=attachment)
    nat = ec2.NatGateway(
        f"NatGateway{letter}", AllocationId=GetAtt(address, "AllocationId"), SubnetId=Ref(public)
    )
    application_routes = ec2.RouteTable(f"ApplicationRoutes{letter}", VpcId=Ref(vpc))
    application_route = ec2.Route(
        f"ApplicationDefaultRoute{letter}",
        RouteTableId=Ref(application_routes),
        DestinationCidrBlock="0.0.0.0/0",
        NatGatewayId=Ref(nat),
    )
    associations = (
        ec2.SubnetRouteTableAssociation(
            f"{subnet.title}Routes", SubnetId=Ref(subnet), RouteTableId=Ref(routes)
        )
        for subnet, routes in (
            (public, public_routes),
            (application, application_routes),
            (data, data_routes),
        )
    )
    return _Zone(
        public=public,
        application=application,
        data=data,
        application_routes=application_routes,
        application_default_route=application_route,
        resources=(
            public,
            application,
            data,
            address,
            nat,
            application_routes,
            application_route,
            *associations,
        ),
    )


def _s3_endpoint(vpc: ec2.VPC, route_tables: tuple[ec2.RouteTable, ...]) -> ec2.VPCEndpoint:
    """The way to S3 past the NAT gateways, open for what the instances read and nothing else.

    Packages: Amazon Linux 2023 User Guide, "Package management". Session Manager's agent:
    AWS Systems Manager User Guide, "SSM Agent communications with AWS managed S3 buckets".
    """
    return ec2.VPCEndpoint(
        "S3Endpoint",
        VpcId=Ref(vpc),
        VpcEndpointType="Gateway",
        ServiceName=Sub("com.amazonaws.${AWS::Region}.s3"),
        RouteTableIds=[Ref(routes) for routes in route_tables],
        PolicyDocument=policies.document(
            {
                "Sid": "PackagesAgentAndArtifact",
                "Effect": "Allow",
                "Principal": "*",
                "Action": "s3:GetObject",
                "Resource": [
                    Sub("arn:${AWS::Partition}:s3:::al2023-repos-${AWS::Region}-de612dc2/*"),
                    Sub("arn:${AWS::Partition}:s3:::amazon-ssm-${AWS::Region}/*"),
                    artifact_source.ARN,
                ],
            }
        ),
    )
