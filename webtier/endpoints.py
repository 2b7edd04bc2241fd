"""The ways from the application subnets to AWS's own services that no NAT gateway is needed for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from troposphere import AccountId, GetAtt, Ref, Sub, ec2

from . import policies
from .exemptions import exempt

if TYPE_CHECKING:
    from .instance_role import Permission
    from .network import Network

# Signing in to the database makes its token on the instance, and Secrets Manager decrypts in KMS
# for the instance: neither needs a way of its own.
_WITHOUT_ENDPOINT = frozenset({"kms", "rds-db", "s3"})
# cfn-signal proves who it is with the instance's identity document, not as a principal of the
# account; CloudFormation takes a signal for the instance's own stack alone.
_SIGNAL: dict[str, Any] = {
    "Effect": "Allow",
    "Principal": "*",
    "Action": ["cloudformation:SignalResource"],
    "Resource": "*",
}
_SIGNAL_EXEMPTION = exempt(
    ("RESOURCE_STAR", "CloudFormation takes an instance's signal for its own stack alone.")
)


def s3(network: Network, granted: tuple[Permission, ...]) -> ec2.VPCEndpoint:
    """The way to S3, free of charge and open for what the instances read and nothing else.

    Packages: Amazon Linux 2023 User Guide, "Package management". Session Manager's agent:
    AWS Systems Manager User Guide, "SSM Agent communications with AWS managed S3 buckets".
    """
    readable = [permission.resource for permission in granted if permission.services == {"s3"}]
    return ec2.VPCEndpoint(
        "S3Endpoint",
        VpcId=Ref(network.vpc),
        VpcEndpointType="Gateway",
        ServiceName=_name("s3"),
        RouteTableIds=[Ref(routes) for routes in network.application_routes],
        PolicyDocument=policies.document(
            {
                "Sid": "PackagesAgentAndArtifact",
                "Effect": "Allow",
                "Principal": "*",
                "Action": "s3:GetObject",
                "Resource": [
                    Sub("arn:${AWS::Partition}:s3:::al2023-repos-${AWS::Region}-de612dc2/*"),
                    Sub("arn:${AWS::Partition}:s3:::amazon-ssm-${AWS::Region}/*"),
                    *readable,
                ],
            }
        ),
    )


def interfaces(
    network: Network, security_group: ec2.SecurityGroup, granted: tuple[Permission, ...]
) -> tuple[ec2.VPCEndpoint, ...]:
    """An endpoint for each service that the instances call, open for those calls alone.

    `ec2messages` is not among them: the agent of Amazon Linux 2023 has its messages from
    `ssmmessages` (AWS Systems Manager User Guide, "ec2messages, ssmmessages, and other API
    operations").
    """
    calls: dict[str, list[dict[str, Any]]] = {}
    for permission in granted:
        for service in permission.services - _WITHOUT_ENDPOINT:
            actions = [name for name in permission.actions if name.startswith(f"{service}:")]
            calls.setdefault(service, []).append(_allow(actions, permission.resource))
    calls["cloudformation"] = [_SIGNAL]
    return tuple(
        ec2.VPCEndpoint(
            f"{service.capitalize()}Endpoint",
            VpcId=Ref(network.vpc),
            VpcEndpointType="Interface",
            ServiceName=_name(service),
            PrivateDnsEnabled=True,
            SubnetIds=[Ref(subnet) for subnet in network.application_subnets],
            SecurityGroupIds=[GetAtt(security_group, "GroupId")],
            PolicyDocument=policies.document(*statements),
            **({"Metadata": _SIGNAL_EXEMPTION} if statements == [_SIGNAL] else {}),
        )
        for service, statements in sorted(calls.items())
    )


def _allow(actions: list[str], resource: Any) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Principal": "*",
        "Action": actions,
        "Resource": resource,
        "Condition": {"StringEquals": {"aws:PrincipalAccount": AccountId}},
    }


def _name(service: str) -> Sub:
    return Sub(f"com.amazonaws.${{AWS::Region}}.{service}")
