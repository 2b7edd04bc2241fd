"""Who may talk to whom: clients to the load balancer, it to the application, that to the data.

Inside the VPC the groups name each other, never an address range, so that a rule stays right
when subnets or instances change.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from troposphere import GetAtt, Ref, ec2

from . import parameters
from .exemptions import exempt
from .options import Nat

if TYPE_CHECKING:
    from troposphere import AWSObject

    from .options import Options

HTTP = 80
HTTPS = 443

_WEB_PORTS = "The rule cannot read ClientCidr, a parameter. The ports are 80 and 443 alone."


@dataclass(frozen=True)
class SecurityGroups:
    """One group per tier, and all the resources they are made of.

    `endpoints` is that of the interface endpoints, None where there are none.
    """

    load_balancer: ec2.SecurityGroup
    application: ec2.SecurityGroup
    database: ec2.SecurityGroup
    endpoints: ec2.SecurityGroup | None
    resources: tuple[AWSObject, ...]


def build(
    options: Options, vpc: ec2.VPC, application_port: int, database_port: int
) -> SecurityGroups:
    """The groups; the ports are TCP ports the application and the database listen on."""
    load_balancer = _load_balancer(options, vpc)
    application = _group(
        "ApplicationSecurityGroup",
        vpc,
        "The instances of the application",
        ingress=[
            _rule(
                application_port,
                "HTTPS from the load balancer",
                SourceSecurityGroupId=_id(load_balancer),
            )
        ],
        egress=[_way_out(options)],
    )
    database = _group(
        "DatabaseSecurityGroup",
        vpc,
        "The database",
        ingress=[
            _rule(
                database_port,
                "PostgreSQL from the application",
                SourceSecurityGroupId=_id(application),
            )
        ],
    )
    built = SecurityGroups(
        load_balancer=load_balancer,
        application=application,
        database=database,
        endpoints=None,
        resources=(
            load_balancer,
            application,
            database,
            _egress(load_balancer, application, application_port, "HTTPS to the application"),
            _egress(application, database, database_port, "PostgreSQL to the database"),
        ),
    )
    return _with_endpoints(built, vpc) if options.nat is Nat.NONE else built


def _load_balancer(options: Options, vpc: ec2.VPC) -> ec2.SecurityGroup:
    clients = {"CidrIp": Ref(parameters.CLIENT_CIDR)}
    open_to_all = "A public web application is open to the world by default; ClientCidr narrows it."
    if options.plain_http:
        ingress = [_rule(HTTP, "HTTP from clients", **clients)]
    else:
        ingress = [
            _rule(HTTPS, "HTTPS from clients", **clients),
            _rule(HTTP, "HTTP from clients, to be redirected", **clients),
        ]
    return _group(
        "LoadBalancerSecurityGroup",
        vpc,
        "The load balancer",
        ingress=ingress,
        Metadata=exempt(
            ("AwsSolutions-EC23", open_to_all),
            ("CKV_AWS_260", open_to_all),
            ("EC2RestrictedCommonPorts", _WEB_PORTS),
            ("EC2RestrictedSSH", _WEB_PORTS),
        ),
    )


def _way_out(options: Options) -> ec2.SecurityGroupRule:
    """To AWS APIs and packages: anywhere behind a NAT gateway, otherwise to S3 alone."""
    if options.nat is Nat.NONE:
        s3 = Ref(parameters.S3_PREFIX_LIST_ID)
        return _rule(HTTPS, "Packages and artifacts in S3", DestinationPrefixListId=s3)
    return _rule(HTTPS, "AWS APIs and packages", CidrIp="0.0.0.0/0")


def _with_endpoints(groups: SecurityGroups, vpc: ec2.VPC) -> SecurityGroups:
    endpoints = _group(
        "EndpointsSecurityGroup",
        vpc,
        "The interface endpoints of AWS services",
        ingress=[
            _rule(
                HTTPS,
                "AWS APIs from the application",
                SourceSecurityGroupId=_id(groups.application),
            )
        ],
    )
    egress = _egress(groups.application, endpoints, HTTPS, "AWS APIs through the endpoints")
    return replace(groups, endpoints=endpoints, resources=(*groups.resources, endpoints, egress))


def _group(
    title: str,
    vpc: ec2.VPC,
    description: str,
    ingress: list[ec2.SecurityGroupRule],
    egress: list[ec2.SecurityGroupRule] | None = None,
    **attributes: Any,
) -> ec2.SecurityGroup:
    # A group without an egress rule of its own gets one that allows everything; a rule that
    # leads nowhere replaces it (AWS CloudFormation, AWS::EC2::SecurityGroupEgress).
    nowhere = ec2.SecurityGroupRule(
        IpProtocol="-1", CidrIp="127.0.0.1/32", Description="Nothing, in place of everything"
    )
    return ec2.SecurityGroup(
        title,
        VpcId=Ref(vpc),
        GroupDescription=description,
        SecurityGroupIngress=ingress,
        SecurityGroupEgress=egress or [nowhere],
        **attributes,
    )


def _rule(port: int, description: str, **peer: Any) -> ec2.SecurityGroupRule:
    return ec2.SecurityGroupRule(
        IpProtocol="tcp", FromPort=port, ToPort=port, Description=description, **peer
    )


def _egress(
    source: ec2.SecurityGroup, destination: ec2.SecurityGroup, port: int, description: str
) -> ec2.SecurityGroupEgress:
    # A resource of its own: the two groups name each other, which CloudFormation cannot order.
    return ec2.SecurityGroupEgress(
        f"{source.title}To{destination.title.removesuffix('SecurityGroup')}",
        GroupId=_id(source),
        DestinationSecurityGroupId=_id(destination),
        IpProtocol="tcp",
        FromPort=port,
        ToPort=port,
        Description=description,
    )


def _id(group: ec2.SecurityGroup) -> GetAtt:
    return GetAtt(group, "GroupId")
