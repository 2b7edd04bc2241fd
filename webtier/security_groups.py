"""Who may talk to whom: clients to the load balancer, it to the application, that to the data.

Inside the VPC the groups name each other, never an address range, so that a rule stays right
when subnets or instances change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from troposphere import GetAtt, Ref, ec2

from . import nag, parameters

if TYPE_CHECKING:
    from troposphere import AWSObject

HTTP = 80
HTTPS = 443


@dataclass(frozen=True)
class SecurityGroups:
    """One group per tier, and all the resources they are made of."""

    load_balancer: ec2.SecurityGroup
    application: ec2.SecurityGroup
    database: ec2.SecurityGroup
    resources: tuple[AWSObject, ...]


def build(vpc: ec2.VPC, application_port: int, database_port: int) -> SecurityGroups:
    """The groups; the ports are TCP ports the application and the database listen on."""
    clients = {"CidrIp": Ref(parameters.CLIENT_CIDR)}
    load_balancer = _group(
        "LoadBalancerSecurityGroup",
        vpc,
        "The load balancer",
        ingress=[
            _rule(HTTPS, "HTTPS from clients", **clients),
            _rule(HTTP, "HTTP from clients, to be redirected", **clients),
        ],
        Metadata=nag.exception(
            (
                "AwsSolutions-EC23",
                "A public web application is open to the world by default; ClientCidr narrows it.",
            )
        )
        | nag.checkov_exception(
            ("CKV_AWS_260", "Port 80 redirects to HTTPS; ClientCidr narrows who may come.")
        ),
    )
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
        egress=[_rule(HTTPS, "AWS APIs and packages", CidrIp="0.0.0.0/0")],
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
    return SecurityGroups(
        load_balancer=load_balancer,
        application=application,
        database=database,
        resources=(
            load_balancer,
            application,
            database,
            _egress(load_balancer, application, application_port, "HTTPS to the application"),
            _egress(application, database, database_port, "PostgreSQL to the database"),
        ),
    )


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
