"""The load balancer: HTTPS at the front door, HTTPS to the instances behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from troposphere import GetAtt, Ref, ec2
from troposphere import elasticloadbalancingv2 as elb

from . import access_logs, parameters
from .exemptions import exempt
from .security_groups import HTTP, HTTPS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from troposphere import AWSObject

    from .access_logs import AccessLogs
    from .network import Network
    from .options import Options

HEALTH_PATH = "/health"
HEALTH_INTERVAL_SECONDS = 10
DEREGISTRATION_DELAY_SECONDS = 30
# Over this time a new instance gets its full share of requests, so that a group which grows under
# load does not hand a cold process as much as a warm one. It needs round robin: with least
# outstanding requests the load balancer has no slow start (Application Load Balancers, "Edit
# target group attributes").
SLOW_START_SECONDS = 30
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
    options: Options,
    network: Network,
    security_group: ec2.SecurityGroup,
    logs: AccessLogs,
    target_port: int,
) -> Front:
    """The load balancer in the public subnets; `target_port` is the instances' TCP port.

    It sends requests to the instances of every zone: an Application Load Balancer always does.
    """
    load_balancer = _load_balancer(options, network, security_group, logs)
    target_group = _target_group(network, target_port)
    listeners = _listeners(options, load_balancer, target_group)
    return Front(
        load_balancer, target_group, listeners[0], (load_balancer, target_group, *listeners)
    )


def _load_balancer(
    options: Options, network: Network, security_group: ec2.SecurityGroup, logs: AccessLogs
) -> elb.LoadBalancer:
    return elb.LoadBalancer(
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
                "deletion_protection.enabled": str(options.deletion_protection).lower(),
                "routing.http.desync_mitigation_mode": "strictest",
                "routing.http.drop_invalid_header_fields.enabled": "true",
                "zonal_shift.config.enabled": "true",
            }.items()
        ],
        DependsOn=[logs.policy.title, network.gateway_attachment.title],
        Metadata=exempt(*_unprotected(options)),
    )


def _unprotected(options: Options) -> Iterator[tuple[str, str]]:
    if not options.deletion_protection:
        yield (
            "ELBDeletionProtectionEnabled",
            "A stage that may be deleted asked for it with --no-deletion-protection.",
        )
    if not options.firewall:
        yield "ALBWAFEnabled", "A stage without a firewall asked for it with --no-firewall."


def _target_group(network: Network, port: int) -> elb.TargetGroup:
    return elb.TargetGroup(
        "TargetGroup",
        VpcId=Ref(network.vpc),
        TargetType="instance",
        Protocol="HTTPS",
        Port=port,
        HealthCheckProtocol="HTTPS",
        HealthCheckPath=HEALTH_PATH,
        HealthCheckIntervalSeconds=HEALTH_INTERVAL_SECONDS,
        HealthCheckTimeoutSeconds=5,
        HealthyThresholdCount=2,
        UnhealthyThresholdCount=3,
        Matcher=elb.Matcher(HttpCode="200"),
        TargetGroupAttributes=[
            elb.TargetGroupAttribute(Key=key, Value=value)
            for key, value in {
                "deregistration_delay.timeout_seconds": str(DEREGISTRATION_DELAY_SECONDS),
                "load_balancing.algorithm.type": "round_robin",
                "slow_start.duration_seconds": str(SLOW_START_SECONDS),
            }.items()
        ],
    )


def _listeners(
    options: Options, load_balancer: elb.LoadBalancer, target_group: elb.TargetGroup
) -> tuple[elb.Listener, ...]:
    """HTTPS and a redirect to it, or plain HTTP.

    The first has the same name either way: a stack that gains its certificate changes it to port
    443 before the redirect takes port 80.
    """
    forward = [elb.Action(Type="forward", TargetGroupArn=Ref(target_group))]
    if options.plain_http:
        development = "A development stage asked for plain HTTP with --plain-http."
        return (
            elb.Listener(
                "Listener",
                LoadBalancerArn=Ref(load_balancer),
                Port=HTTP,
                Protocol="HTTP",
                DefaultActions=forward,
                Metadata=exempt(
                    ("ALBHttpToHttpsRedirection", development),
                    ("CKV_AWS_2", development),
                    ("CKV_AWS_103", development),
                    ("ELBv2ACMCertificateRequired", development),
                ),
            ),
        )
    entrance = elb.Listener(
        "Listener",
        LoadBalancerArn=Ref(load_balancer),
        Port=HTTPS,
        Protocol="HTTPS",
        SslPolicy=TLS_POLICY,
        Certificates=[elb.Certificate(CertificateArn=Ref(parameters.CERTIFICATE_ARN))],
        DefaultActions=forward,
    )
    redirect = elb.Listener(
        "RedirectListener",
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
        Metadata=exempt(
            (
                "ELBv2ACMCertificateRequired",
                "It only sends browsers to HTTPS and forwards nothing; HTTP has no certificate.",
            )
        ),
    )
    return entrance, redirect
