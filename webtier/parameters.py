"""What varies when the stack is deployed: its parameters, and what follows from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from troposphere import Equals, Not, Parameter, Ref, Template

from . import artifact_source
from .options import MINIMUM_CAPACITY, Architecture, Nat

if TYPE_CHECKING:
    from .options import Options

# How many times its smallest size the group may have by default.
GROWTH = 3
HAS_ALERT_EMAIL = "HasAlertEmail"

CERTIFICATE_ARN = "CertificateArn"
CLIENT_CIDR = "ClientCidr"
RATE_LIMIT = "RateLimit"
IMAGE_ID = "ImageId"
INSTANCE_TYPE = "InstanceType"
MIN_CAPACITY = "MinCapacity"
MAX_CAPACITY = "MaxCapacity"
REQUESTS_PER_INSTANCE = "RequestsPerInstance"
S3_PREFIX_LIST_ID = "S3PrefixListId"
DATABASE_CLASS = "DatabaseClass"
ERROR_ALARM_PER_MINUTE = "ErrorAlarmPerMinute"
LATENCY_ALARM_SECONDS = "LatencyAlarmSeconds"
ALERT_EMAIL = "AlertEmail"

_INSTANCE_TYPES = {Architecture.ARM64: "t4g.small", Architecture.X86_64: "t3.small"}
# Amazon RDS User Guide, "Instance class availability for Multi-AZ DB clusters": those with a disk
# of their own, which is the `d` after the generation.
_CLUSTER_CLASS = r"^db\.[a-z]+[0-9]+[a-z]*d[a-z]*\.[a-z0-9]+$"

# I4010 asks for a design note on each resource. They are the docstrings of these modules, and
# would take the template further past the size CloudFormation accepts inline.
_LINT_EXCEPTIONS = ["I4010"]


def add_to(template: Template, options: Options) -> None:
    """Add every parameter, condition and rule, and the order in which the console shows them."""
    groups = {
        "Access": _access(options),
        "Application": list(artifact_source.PARAMETERS),
        "Instances": _instances(options),
        "Database": [_database_class(options)],
        "Operation": _operation(),
    }
    for parameter in (parameter for members in groups.values() for parameter in members):
        template.add_parameter(parameter)
    template.add_condition(HAS_ALERT_EMAIL, Not(Equals(Ref(ALERT_EMAIL), "")))
    if options.spot_percent:
        template.add_rule("SpotTypesAreOthers", _spot_types_are_others(options))
    template.set_metadata(
        {
            "AWS::CloudFormation::Interface": {
                "ParameterGroups": [
                    {
                        "Label": {"default": label},
                        "Parameters": [parameter.title for parameter in members],
                    }
                    for label, members in groups.items()
                ]
            },
            "cfn-lint": {"config": {"ignore_checks": _LINT_EXCEPTIONS}},
        }
    )


def _access(options: Options) -> list[Parameter]:
    certificate = Parameter(
        CERTIFICATE_ARN,
        Type="String",
        AllowedPattern=r"^arn:[a-z-]+:acm:[a-z0-9-]+:[0-9]{12}:certificate/.+$",
        ConstraintDescription="the ARN of a certificate in AWS Certificate Manager",
        Description="The load balancer's certificate, issued by ACM in this region.",
    )
    clients = Parameter(
        CLIENT_CIDR,
        Type="String",
        Default="0.0.0.0/0",
        AllowedPattern=r"^([0-9]{1,3}\.){3}[0-9]{1,3}/[0-9]{1,2}$",
        ConstraintDescription="an IPv4 range such as 203.0.113.0/24",
        Description="Who may reach the load balancer.",
    )
    rate_limit = Parameter(
        RATE_LIMIT,
        Type="Number",
        Default=2000,
        MinValue=10,
        MaxValue=2_000_000_000,
        Description="How many requests one address may send in five minutes.",
    )
    return [
        *([] if options.plain_http else [certificate]),
        clients,
        *([rate_limit] if options.firewall else []),
    ]


def _instances(options: Options) -> list[Parameter]:
    image = Parameter(
        IMAGE_ID,
        Type="AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>",
        Default="/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-"
        f"{options.architecture}",
        Description=f"The public parameter that names the Amazon Linux 2023 image, "
        f"for {options.architecture}.",
    )
    instance_type = Parameter(
        INSTANCE_TYPE,
        Type="String",
        Default=_INSTANCE_TYPES[options.architecture],
        AllowedPattern=f"^{options.architecture.instance_type}$",
        ConstraintDescription=f"an instance type with {options.architecture} processors",
        Description="The instances' type.",
    )
    least = Parameter(
        MIN_CAPACITY,
        Type="Number",
        # One in each zone: a zone without an instance is lost without anybody noticing.
        Default=options.zones,
        MinValue=MINIMUM_CAPACITY,
        Description="The fewest instances; one in each zone, so that a lost one is told.",
    )
    most = Parameter(
        MAX_CAPACITY,
        Type="Number",
        Default=GROWTH * options.zones,
        MinValue=MINIMUM_CAPACITY + 1,
        Description="The most instances; more than MinCapacity, or a rolling update cannot start.",
    )
    requests = Parameter(
        REQUESTS_PER_INSTANCE,
        Type="Number",
        Default=1000,
        MinValue=1,
        Description="How many requests a minute each instance should get; the group follows it.",
    )
    prefix_list = Parameter(
        S3_PREFIX_LIST_ID,
        Type="String",
        AllowedPattern="^pl-[0-9a-f]{8,17}$",
        ConstraintDescription="the id of a prefix list, such as pl-0123abcd",
        Description="S3's managed prefix list in this region: aws ec2 "
        "describe-managed-prefix-lists --filters Name=prefix-list-name,"
        "Values=com.amazonaws.REGION.s3",
    )
    return [
        image,
        instance_type,
        least,
        most,
        requests,
        *([prefix_list] if options.nat is Nat.NONE else []),
    ]


def _database_class(options: Options) -> Parameter:
    clustered = options.clustered
    return Parameter(
        DATABASE_CLASS,
        Type="String",
        Default="db.m6gd.large" if clustered else "db.t4g.medium",
        AllowedPattern=_CLUSTER_CLASS if clustered else r"^db\.[a-z0-9-]+\.[a-z0-9]+$",
        ConstraintDescription="a database instance class with a disk of its own, such as "
        "db.m6gd.large"
        if clustered
        else "a database instance class such as db.t4g.medium",
        Description="The class of the database's instances.",
    )


def _operation() -> list[Parameter]:
    return [
        Parameter(
            ERROR_ALARM_PER_MINUTE,
            Type="Number",
            Default=10,
            MinValue=0,
            Description="More answers with 5xx than this in a minute are an alarm.",
        ),
        Parameter(
            LATENCY_ALARM_SECONDS,
            Type="Number",
            Default=1,
            MinValue=0,
            Description="An alarm when one request in 20 takes longer; fractions are possible.",
        ),
        Parameter(
            ALERT_EMAIL,
            Type="String",
            Default="",
            AllowedPattern=r"^$|^[^@\s]+@[^@\s]+\.[^@\s]+$",
            ConstraintDescription="an e-mail address, or nothing",
            Description="Who is told of alarms; SNS sends a confirmation first.",
        ),
    ]


def _spot_types_are_others(options: Options) -> dict[str, Any]:
    """EC2 Auto Scaling refuses a group that names a type twice."""
    types = list(options.types_for_spot)
    return {
        "Assertions": [
            {
                "Assert": {"Fn::Not": [{"Fn::Contains": [types, Ref(INSTANCE_TYPE)]}]},
                "AssertDescription": f"InstanceType is one of the Spot types {', '.join(types)}: "
                "take another, or give others with --spot-types.",
            }
        ]
    }
