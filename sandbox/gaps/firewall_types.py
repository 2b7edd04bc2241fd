"""CloudFormation types that put AWS WAF to use: its association with a resource, and its log.

AWS: AWS::WAFv2::WebACLAssociation protects a load balancer with a web ACL; Ref is
`<resource ARN>|<web ACL ARN>`, and a change of either replaces it. AWS::WAFv2::LoggingConfiguration
sends the web ACL's log to one place; Ref is the web ACL's ARN, whose change replaces it. Source:
AWS CloudFormation template reference, "AWS WAF V2 resource type reference",
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_WAFv2.html.

MiniStack 1.5.33: refuses the template ("Unrecognized resource types"), although its WAF API knows
associations.

The filler: the association is made through that API. The logging configuration is checked for a web
ACL that exists, and is nothing more: the emulator inspects no request, so there is nothing to log.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ministack.services import waf

from sandbox.gaps.resource_types import Attributes, Properties, ResourceType, register

if TYPE_CHECKING:
    from collections.abc import Callable


def install() -> None:
    """Add the types."""
    register(
        "AWS::WAFv2::WebACLAssociation",
        ResourceType(
            create_association,
            delete_association,
            update_nothing,
            replaced_by=("ResourceArn", "WebACLArn"),
        ),
    )
    register(
        "AWS::WAFv2::LoggingConfiguration",
        ResourceType(create_logging, delete_nothing, update_logging, replaced_by=("ResourceArn",)),
    )


def create_association(
    _logical_id: str, properties: Properties, _stack: str
) -> tuple[str, Attributes]:
    """Protect the resource. Raises ValueError where there is no such web ACL."""
    protected, acl = properties["ResourceArn"], properties["WebACLArn"]
    call(waf._associate_web_acl, {"ResourceArn": protected, "WebACLArn": acl})
    return f"{protected}|{acl}", {}


def delete_association(_identifier: str, properties: Properties) -> None:
    """Leave the resource unprotected."""
    call(waf._disassociate_web_acl, {"ResourceArn": properties["ResourceArn"]})


def create_logging(_logical_id: str, properties: Properties, _stack: str) -> tuple[str, Attributes]:
    """Take the configuration. Raises ValueError where there is no such web ACL."""
    acl = properties["ResourceArn"]
    call(waf._list_resources_for_web_acl, {"WebACLArn": acl})
    return acl, {"ManagedByFirewallManager": False}


def update_logging(_identifier: str, _properties: Properties) -> Attributes:
    """Take another destination or filter."""
    return {"ManagedByFirewallManager": False}


def update_nothing(_identifier: str, _properties: Properties) -> Attributes:
    """Every property replaces it."""
    return {}


def delete_nothing(_identifier: str, _properties: Properties) -> None:
    """Nothing was kept."""


def call(operation: Callable[[dict[str, Any]], Any], request: dict[str, Any]) -> None:
    """Call an operation of AWS WAF. Raises ValueError with its error."""
    status, _, body = operation(request)
    if status >= 400:
        error = json.loads(body)
        raise ValueError(error.get("message") or error.get("Message"))
