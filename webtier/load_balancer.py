"""The load balancer: HTTPS at the front door, HTTPS to the instances behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from troposphere import GetAtt, If, NoValue, Ref, ec2
from troposphere import elasticloadbalancingv2 as elb

from . import access_logs, nag, parameters
from .security_groups import HTTP, HTTPS

if TYPE_CHECKING:
    from troposphere import AWSObject

    from .access_logs import AccessLogs
    from .network import Network

HEALTH_PATH = "/health"
DEREGISTRATION_DELAY_SECONDS = 30
# TLS 1.3, and 1.2 with forward secrecy and authenticated encryption only (Application Load
# Balancers, "Security policies for your Application Load Balancer").
TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"


@dataclass(frozen=True)
class Front:
    """What the instances and the alarms need of the load balancer, and all its resources."""

    load_balancer: elb.LoadBalancer
    target_group: elb.TargetGroup
    listener: elb.Listener
    resources: tuple[AWSObject, ...]


def build(
    network: Network, security_group: ec2.SecurityGroup, logs: AccessLogs, target_port: int
) -> Front:
    """The load balancer in the public subnets; `target_port` is the instances' TCP port."""
    load_balancer = elb.LoadBalancer(
        "LoadBalancer",
        Type="application",
        Scheme="internet-facing",
        Subnets=[Ref(subnet) for subnet in network.public_subnets],
        SecurityGroups=[GetAtt(security_group, "GroupId")],
        LoadBalancerAttributes=[
            elb.LoadBalancerAttributes(Key=key, Value=value)
            for key, value in {
                "access_logs.s3.enabled": "true",
                "access_logs.s3.bucket": Ref(logs.bucket),
                "access_logs.s3.prefix": access_logs.PREFIX,
                "deletion_protection.enabled": Ref(parameters.DELETION_PROTECTION),
                "routing.http.desync_mitigation_mode": "strictest",
                "routing.http.drop_invalid_header_fields.enabled": "true",
                "zonal_shift.config.enabled": "true",
            }.items()
        ],
        DependsOn=[logs.policy.title, network.gateway_attachment.title],
    )
    target_group = elb.TargetGroup(
        "TargetGroup",
        VpcId=Ref(network.vpc),
        TargetType="instance",
        Protocol="HTTPS",
        Port=target_port,
        HealthCheckProtocol="HTTPS",
        HealthCheckPath=HEALTH_PATH,
        HealthCheckIntervalSeconds=10,
        HealthCheckTimeoutSeconds=5,
        HealthyThresholdCount=2,
        UnhealthyThresholdCount=3,
        Matcher=elb.Matcher(HttpCode="200"),
        TargetGroupAttributes=[
            elb.TargetGroupAttribute(
                Key="deregistration_delay.timeout_seconds", Value=str(DEREGISTRATION_DELAY_SECONDS)
            )
        ],
    )
    listener = _entrance(load_balancer, target_group)
    redirect = _redirect(load_balancer, listener)
    return Front(
        load_balancer, target_group, listener, (load_balancer, target_group, listener, redirect)
    )


def _entrance(load_balancer: elb.LoadBalancer, target_group: elb.TargetGroup) -> elb.Listener:
    """HTTPS with a certificate, plain HTTP without one.

    One listener that changes, not two: the stack always has one that the instances can wait
    for, and a stack that gains its certificate frees port 80 before the redirect takes it.
    """

    def with_certificate(value: Any, otherwise: Any) -> If:
        return If(parameters.HAS_CERTIFICATE, value, otherwise)

    return elb.Listener(
        "Listener",
        LoadBalancerArn=Ref(load_balancer),
        Port=with_certificate(HTTPS, HTTP),
        Protocol=with_certificate("HTTPS", "HTTP"),
        SslPolicy=with_certificate(TLS_POLICY, NoValue),
        Certificates=with_certificate(
            [elb.Certificate(CertificateArn=Ref(parameters.CERTIFICATE_ARN))], NoValue
        ),
        DefaultActions=[elb.Action(Type="forward", TargetGroupArn=Ref(target_group))],
        Metadata=nag.checkov_exception(
            ("CKV_AWS_2", "HTTPS where there is a certificate; without one only if AllowHttp."),
            ("CKV_AWS_103", "TLS 1.2 and up wherever it is HTTPS, by a policy behind a condition."),
        ),
    )


def _redirect(load_balancer: elb.LoadBalancer, entrance: elb.Listener) -> elb.Listener:
    """From HTTP to HTTPS, where there is HTTPS."""
    return elb.Listener(
        "RedirectListener",
        Condition=parameters.HAS_CERTIFICATE,
        LoadBalancerArn=Ref(load_balancer),
        Port=HTTP,
        Protocol="HTTP",
        DefaultActions=[
            elb.Action(
                Type="redirect",
                RedirectConfig=elb.RedirectConfig(
                    Protocol="HTTPS", Port=str(HTTPS), StatusCode="HTTP_301"
                ),
            )
        ],
        DependsOn=entrance.title,
    )
