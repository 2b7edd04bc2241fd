"""The icon of everything a picture shows: AWS's, as the `diagrams` library ships them."""

from __future__ import annotations

import base64
import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Icon:
    """An icon's file below the library's `resources/aws`, and diagrams.net's style for the same."""

    file: str
    drawio: str


def _service(file: str, name: str, colour: str) -> Icon:
    return Icon(
        file,
        f"shape=mxgraph.aws4.resourceIcon;resIcon=mxgraph.aws4.{name};"
        f"strokeColor=#ffffff;fillColor={colour}",
    )


def _resource(file: str, name: str, colour: str) -> Icon:
    return Icon(file, f"shape=mxgraph.aws4.{name};strokeColor=none;fillColor={colour}")


# The colours are those of AWS's architecture icons, by category.
_COMPUTE, _STORAGE, _DATABASE, _NETWORK = "#ED7100", "#7AA116", "#C925D1", "#8C4FFF"
_INTEGRATION, _SECURITY, _GENERAL = "#E7157B", "#DD344C", "#232F3E"

ICONS = {
    "users": _resource("general/users.png", "users", _GENERAL),
    "api": _service("network/api-gateway.png", "api_gateway", _NETWORK),
    "function": _service("compute/lambda.png", "lambda", _COMPUTE),
    "bucket": _service("storage/simple-storage-service-s3.png", "s3", _STORAGE),
    "queue": _service("integration/simple-queue-service-sqs.png", "sqs", _INTEGRATION),
    "topic": _service("integration/simple-notification-service-sns.png", "sns", _INTEGRATION),
    "rule": _service("integration/eventbridge.png", "eventbridge", _INTEGRATION),
    "table": _service("database/dynamodb.png", "dynamodb", _DATABASE),
    "database": _service("database/rds.png", "rds", _DATABASE),
    "instance": _service("compute/ec2.png", "ec2", _COMPUTE),
    "scaling": _service("compute/ec2-auto-scaling.png", "auto_scaling2", _COMPUTE),
    "load-balancer": _resource(
        "network/elb-application-load-balancer.png", "application_load_balancer", _NETWORK
    ),
    "internet-gateway": _resource("network/internet-gateway.png", "internet_gateway", _NETWORK),
    "nat-gateway": _resource("network/nat-gateway.png", "nat_gateway", _NETWORK),
    "endpoint": _resource("network/endpoint.png", "endpoint", _NETWORK),
    "waf": _service("security/waf.png", "waf", _SECURITY),
    "key": _service("security/key-management-service.png", "key_management_service", _SECURITY),
    "secret": _service("security/secrets-manager.png", "secrets_manager", _SECURITY),
    "role": _resource("security/identity-and-access-management-iam-role.png", "role", _SECURITY),
    "monitoring": _service("management/cloudwatch.png", "cloudwatch_2", _INTEGRATION),
    "mail": _resource(
        "integration/simple-notification-service-sns-email-notification.png",
        "email_notification",
        _INTEGRATION,
    ),
}


def data_uri(icon: str) -> str:
    """The icon's PNG as a data URI. Raises KeyError: there is no such icon."""
    data = (_folder() / ICONS[icon].file).read_bytes()
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


@cache
def _folder() -> Path:
    # The library installs its icons beside its own package, as `resources`.
    spec = importlib.util.find_spec("diagrams")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("diagrams", name="diagrams")
    return Path(spec.origin).resolve().parent.parent / "resources" / "aws"
