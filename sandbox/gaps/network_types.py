"""CloudFormation types of the network that the web tier uses and the emulator lacks.

AWS: AWS::EC2::EIP, AWS::EC2::NatGateway, AWS::EC2::SecurityGroupEgress and AWS::EC2::FlowLog.
Source: AWS CloudFormation template reference, "Amazon EC2 resource type reference",
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_EC2.html.

MiniStack 1.5.33: refuses the template ("Unrecognized resource types"), although its EC2 API has
every operation.

The filler: each type calls those operations. As with everything of EC2 here, they are records: no
packet is routed, filtered or logged.
"""

from __future__ import annotations

import re
from typing import Any

from ministack.services import ec2

from sandbox.gaps.resource_types import Attributes, Properties, ResourceType, register


def install() -> None:
    """Add the types."""
    register(
        "AWS::EC2::EIP",
        ResourceType(
            create_address,
            delete_address,
            update_address,
            replaced_by=("Address", "IpamPoolId", "NetworkBorderGroup", "TransferAddress"),
        ),
    )
    register(
        "AWS::EC2::NatGateway",
        ResourceType(
            create_nat_gateway,
            delete_nat_gateway,
            update_nat_gateway,
            replaced_by=("AllocationId", "ConnectivityType", "PrivateIpAddress", "SubnetId"),
        ),
    )
    register(
        "AWS::EC2::SecurityGroupEgress",
        ResourceType(
            create_egress,
            delete_egress,
            update_egress,
            replaced_by=(
                "CidrIp",
                "CidrIpv6",
                "DestinationPrefixListId",
                "DestinationSecurityGroupId",
                "FromPort",
                "GroupId",
                "IpProtocol",
                "ToPort",
            ),
        ),
    )
    register(
        "AWS::EC2::FlowLog",
        ResourceType(
            create_flow_log,
            delete_flow_log,
            update_flow_log,
            replaced_by=(
                "DeliverCrossAccountRole",
                "DeliverLogsPermissionArn",
                "DestinationOptions",
                "LogDestination",
                "LogDestinationType",
                "LogFormat",
                "LogGroupName",
                "MaxAggregationInterval",
                "ResourceId",
                "ResourceType",
                "TrafficType",
            ),
        ),
    )


def create_address(_logical_id: str, properties: Properties, _stack: str) -> tuple[str, Attributes]:
    """Allocate an Elastic IP address; Ref is the address."""
    answer = call("AllocateAddress", Domain=properties.get("Domain", "vpc"))
    allocation_id, address = element(answer, "allocationId"), element(answer, "publicIp")
    set_tags(allocation_id, properties)
    return address, {"AllocationId": allocation_id, "PublicIp": address}


def update_address(address: str, properties: Properties) -> Attributes:
    """Change its tags."""
    allocation_id = allocation_of(address)
    set_tags(allocation_id, properties)
    return {"AllocationId": allocation_id, "PublicIp": address}


def delete_address(address: str, _properties: Properties) -> None:
    """Release it."""
    call("ReleaseAddress", AllocationId=allocation_of(address))


def allocation_of(address: str) -> str:
    """The allocation id of an address. Raises ValueError where it was released."""
    for allocation_id, record in ec2._addresses.items():
        if record["PublicIp"] == address:
            return str(allocation_id)
    raise ValueError(f"Address {address} not found")


def create_nat_gateway(
    _logical_id: str, properties: Properties, _stack: str
) -> tuple[str, Attributes]:
    """Create a NAT gateway in a subnet that exists; Ref is its id."""
    subnet, allocation_id = properties["SubnetId"], properties.get("AllocationId")
    if subnet not in ec2._subnets:
        raise ValueError(f"The subnet ID '{subnet}' does not exist")
    if allocation_id and allocation_id not in ec2._addresses:
        raise ValueError(f"Elastic IP address ['{allocation_id}'] could not be found")
    answer = call(
        "CreateNatGateway",
        SubnetId=subnet,
        AllocationId=allocation_id,
        ConnectivityType=properties.get("ConnectivityType"),
    )
    gateway = element(answer, "natGatewayId")
    set_tags(gateway, properties)
    return gateway, {"NatGatewayId": gateway}


def update_nat_gateway(gateway: str, properties: Properties) -> Attributes:
    """Change its tags."""
    set_tags(gateway, properties)
    return {"NatGatewayId": gateway}


def delete_nat_gateway(gateway: str, _properties: Properties) -> None:
    """Delete it; EC2 keeps showing it as deleted, as AWS does for an hour."""
    call("DeleteNatGateway", NatGatewayId=gateway)


def create_egress(_logical_id: str, properties: Properties, _stack: str) -> tuple[str, Attributes]:
    """Add an outbound rule to a security group; Ref is the rule's id."""
    answer = call("AuthorizeSecurityGroupEgress", **rule_parameters(properties))
    rule = element(answer, "securityGroupRuleId")
    return rule, {"Id": rule}


def update_egress(rule: str, properties: Properties) -> Attributes:
    """Change its description."""
    for permission in ec2._security_groups[properties["GroupId"]]["IpPermissionsEgress"]:
        if permission.get("SecurityGroupRuleId") == rule:
            for kind in ("IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs"):
                for peer in permission[kind]:
                    peer["Description"] = properties.get("Description", "")
    return {"Id": rule}


def delete_egress(rule: str, properties: Properties) -> None:
    """Take the rule away."""
    parameters = {"GroupId": properties["GroupId"], "SecurityGroupRuleId.1": rule}
    call("RevokeSecurityGroupEgress", **parameters)


def rule_parameters(properties: Properties) -> dict[str, Any]:
    """The parameters of the EC2 operations for one outbound rule."""
    prefix = "IpPermissions.1"
    parameters = {
        "GroupId": properties["GroupId"],
        f"{prefix}.IpProtocol": properties["IpProtocol"],
        f"{prefix}.FromPort": properties.get("FromPort"),
        f"{prefix}.ToPort": properties.get("ToPort"),
    }
    peers = {
        "CidrIp": f"{prefix}.IpRanges.1",
        "CidrIpv6": f"{prefix}.Ipv6Ranges.1",
        "DestinationSecurityGroupId": f"{prefix}.Groups.1",
        "DestinationPrefixListId": f"{prefix}.PrefixListIds.1",
    }
    fields = {
        "DestinationSecurityGroupId": "GroupId",
        "DestinationPrefixListId": "PrefixListId",
    }
    for name, place in peers.items():
        if properties.get(name):
            parameters[f"{place}.{fields.get(name, name)}"] = properties[name]
            parameters[f"{place}.Description"] = properties.get("Description")
    return parameters


def create_flow_log(
    _logical_id: str, properties: Properties, _stack: str
) -> tuple[str, Attributes]:
    """Log the traffic of a VPC, subnet or interface; Ref is the flow log's id."""
    names = ("ResourceType", "TrafficType", "LogDestinationType", "LogDestination", "LogGroupName")
    answer = call(
        "CreateFlowLogs",
        **{"ResourceId.1": properties["ResourceId"]},
        **{name: properties.get(name) for name in names},
    )
    flow_log = element(answer, "item")
    set_tags(flow_log, properties)
    return flow_log, {"Id": flow_log}


def update_flow_log(flow_log: str, properties: Properties) -> Attributes:
    """Change its tags."""
    set_tags(flow_log, properties)
    return {"Id": flow_log}


def delete_flow_log(flow_log: str, _properties: Properties) -> None:
    """Stop logging."""
    call("DeleteFlowLogs", **{"FlowLogId.1": flow_log})


def call(operation: str, **parameters: object) -> str:
    """Call an operation of EC2 and return its XML. Raises ValueError with EC2's error."""
    given = {name: str(value) for name, value in parameters.items() if value is not None}
    status, _, body = ec2._ACTION_MAP[operation](given)
    text = body.decode() if isinstance(body, bytes) else str(body)
    if status >= 400:
        raise ValueError(f"{element(text, 'Message')} ({element(text, 'Code')})")
    return text


def element(xml: str, name: str) -> str:
    """The text of the first element of that name. Raises ValueError where there is none."""
    found = re.search(rf"<{name}>([^<]*)</{name}>", xml)
    if found is None:
        raise ValueError(f"EC2 answered without {name}: {xml}")
    return found[1]


def set_tags(resource_id: str, properties: Properties) -> None:
    """Give a resource the tags of its properties, stack tags included."""
    ec2._tags[resource_id] = [dict(tag) for tag in properties.get("Tags", [])]
