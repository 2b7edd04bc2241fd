"""What varies when the stack is deployed: its parameters, and what follows from them."""

from __future__ import annotations

from typing import Any

from troposphere import Equals, Not, Or, Parameter, Ref, Template

from . import artifact_source

HAS_CERTIFICATE = "HasCertificate"
HAS_ALERT_EMAIL = "HasAlertEmail"

CERTIFICATE_ARN = Parameter(
    "CertificateArn",
    Type="String",
    Default="",
    AllowedPattern=r"^$|^arn:[a-z-]+:acm:[a-z0-9-]+:[0-9]{12}:certificate/.+$",
    ConstraintDescription="the ARN of a certificate in AWS Certificate Manager, or nothing",
    Description="The load balancer's certificate, issued by ACM in this region.",
)
ALLOW_HTTP = Parameter(
    "AllowHttp",
    Type="String",
    Default="false",
    AllowedValues=["true", "false"],
    Description="Development only: without a certificate, serve plain HTTP.",
)
CLIENT_CIDR = Parameter(
    "ClientCidr",
    Type="String",
    Default="0.0.0.0/0",
    AllowedPattern=r"^([0-9]{1,3}\.){3}[0-9]{1,3}/[0-9]{1,2}$",
    ConstraintDescription="an IPv4 range such as 203.0.113.0/24",
    Description="Who may reach the load balancer.",
)
DELETION_PROTECTION = Parameter(
    "DeletionProtection",
    Type="String",
    Default="true",
    AllowedValues=["true", "false"],
    Description="Refuse to delete the load balancer and the database.",
)
IMAGE_ID = Parameter(
    "ImageId",
    Type="AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>",
    Default="/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64",
    Description="The public parameter that names the Amazon Linux 2023 image.",
)
INSTANCE_TYPE = Parameter(
    "InstanceType",
    Type="String",
    Default="t4g.small",
    Description="The instances' type; its architecture must be the image's.",
)
MIN_CAPACITY = Parameter(
    "MinCapacity",
    Type="Number",
    Default=2,
    MinValue=2,
    Description="The fewest instances; two keep the application up when a zone fails.",
)
MAX_CAPACITY = Parameter(
    "MaxCapacity",
    Type="Number",
    Default=6,
    MinValue=3,
    Description="The most instances; more than MinCapacity, or a rolling update cannot start.",
)
DATABASE_CLASS = Parameter(
    "DatabaseClass",
    Type="String",
    Default="db.t4g.medium",
    AllowedPattern=r"^db\.[a-z0-9-]+\.[a-z0-9]+$",
    ConstraintDescription="a database instance class such as db.t4g.medium",
    Description="The database's instance class.",
)
ALERT_EMAIL = Parameter(
    "AlertEmail",
    Type="String",
    Default="",
    AllowedPattern=r"^$|^[^@\s]+@[^@\s]+\.[^@\s]+$",
    ConstraintDescription="an e-mail address, or nothing",
    Description="Who is told of alarms; SNS sends a confirmation first.",
)

_GROUPS = {
    "Access": (CERTIFICATE_ARN, ALLOW_HTTP, CLIENT_CIDR),
    "Application": artifact_source.PARAMETERS,
    "Instances": (IMAGE_ID, INSTANCE_TYPE, MIN_CAPACITY, MAX_CAPACITY),
    "Database": (DATABASE_CLASS,),
    "Operation": (ALERT_EMAIL, DELETION_PROTECTION),
}

# I4010 asks for a design note on each resource. They are the docstrings of these modules, and
# would take the template past the size CloudFormation accepts inline.
_LINT_EXCEPTIONS = ["I4010"]


def add_to(template: Template) -> None:
    """Add every parameter, condition and rule, and the order in which the console shows them."""
    for parameter in (parameter for group in _GROUPS.values() for parameter in group):
        template.add_parameter(parameter)
    certified = Not(Equals(Ref(CERTIFICATE_ARN), ""))
    template.add_condition(HAS_CERTIFICATE, certified)
    template.add_condition(HAS_ALERT_EMAIL, Not(Equals(Ref(ALERT_EMAIL), "")))
    template.add_rule(
        "EncryptedUnlessAllowed",
        {
            "Assertions": [
                {
                    "Assert": Or(certified, Equals(Ref(ALLOW_HTTP), "true")),
                    "AssertDescription": "Give CertificateArn. Plain HTTP needs AllowHttp=true, "
                    "which is for development only.",
                }
            ]
        },
    )
    template.set_metadata(
        {
            "AWS::CloudFormation::Interface": {"ParameterGroups": _groups()},
            "cfn-lint": {"config": {"ignore_checks": _LINT_EXCEPTIONS}},
        }
    )


def _groups() -> list[dict[str, Any]]:
    return [
        {"Label": {"default": label}, "Parameters": [parameter.title for parameter in members]}
        for label, members in _GROUPS.items()
    ]
