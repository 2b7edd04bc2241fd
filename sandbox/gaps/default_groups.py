"""The default security group of a VPC: its members reach each other.

AWS: allows in what comes from the group itself, and out everything. Source: Amazon VPC user guide,
"Default security groups for your VPCs",
https://docs.aws.amazon.com/vpc/latest/userguide/default-security-group.html.

MiniStack 1.5.33: allows nothing in.

The filler: that rule, for a VPC of CloudFormation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ministack.core.responses import get_account_id
from ministack.services import ec2
from ministack.services.cloudformation import provisioners

if TYPE_CHECKING:
    from sandbox.gaps.resource_types import Attributes, Properties

TYPE = "AWS::EC2::VPC"

_create = provisioners._ec2_vpc_create


def install() -> None:
    """Wrap the type's creation; its update calls it for a replacement."""
    provisioners._ec2_vpc_create = create
    provisioners._RESOURCE_HANDLERS[TYPE]["create"] = create


def create(logical_id: str, properties: Properties, stack_name: str) -> tuple[str, Attributes]:
    """Create the VPC, and the missing rule of its default group."""
    vpc, attributes = _create(logical_id, properties, stack_name)
    group = attributes["DefaultSecurityGroup"]
    ec2._security_groups[group]["IpPermissions"].append(
        {
            "IpProtocol": "-1",
            "IpRanges": [],
            "Ipv6Ranges": [],
            "PrefixListIds": [],
            "UserIdGroupPairs": [{"GroupId": group, "UserId": get_account_id()}],
        }
    )
    return vpc, attributes
