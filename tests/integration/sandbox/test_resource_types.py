from __future__ import annotations

import json

import pytest
from troposphere import GetAtt, Output, Ref, Tags, Template, ec2, rds


@pytest.fixture
def update(aws):
    """Updates a stack by a change set and returns the changes it announced."""

    def run(name, template):
        client = aws.client("cloudformation")
        client.create_change_set(
            StackName=name, ChangeSetName="update", TemplateBody=template.to_json()
        )
        wait = {"Delay": 0.1, "MaxAttempts": 100}
        client.get_waiter("change_set_create_complete").wait(
            StackName=name, ChangeSetName="update", WaiterConfig=wait
        )
        changes = client.describe_change_set(StackName=name, ChangeSetName="update")["Changes"]
        client.execute_change_set(StackName=name, ChangeSetName="update")
        client.get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig=wait)
        return {
            change["ResourceChange"]["LogicalResourceId"]: change["ResourceChange"]["Replacement"]
            for change in changes
        }

    return run


def network(*, owner="one", port=443, subnet="PublicA"):
    template = Template()
    vpc = template.add_resource(ec2.VPC("Vpc", CidrBlock="10.0.0.0/16"))
    for letter, block in (("A", "10.0.0.0/24"), ("B", "10.0.1.0/24")):
        template.add_resource(ec2.Subnet(f"Public{letter}", VpcId=Ref(vpc), CidrBlock=block))
    tags = Tags(Owner=owner)
    address = template.add_resource(ec2.EIP("Address", Domain="vpc", Tags=tags))
    gateway = template.add_resource(
        ec2.NatGateway(
            "Gateway",
            AllocationId=GetAtt(address, "AllocationId"),
            SubnetId=Ref(subnet),
            Tags=tags,
        )
    )
    groups = [
        template.add_resource(ec2.SecurityGroup(name, GroupDescription=name, VpcId=Ref(vpc)))
        for name in ("From", "To")
    ]
    template.add_resource(
        ec2.SecurityGroupEgress(
            "Rule",
            GroupId=GetAtt(groups[0], "GroupId"),
            DestinationSecurityGroupId=GetAtt(groups[1], "GroupId"),
            IpProtocol="tcp",
            FromPort=port,
            ToPort=port,
            Description=f"for {owner}",
        )
    )
    template.add_resource(
        ec2.FlowLog(
            "Flow",
            ResourceId=Ref(vpc),
            ResourceType="VPC",
            TrafficType="ALL",
            LogDestination="arn:aws:s3:::flow-logs",
            LogDestinationType="s3",
            Tags=tags,
        )
    )
    outputs = {
        "Vpc": Ref(vpc),
        "Address": Ref(address),
        "Gateway": Ref(gateway),
        "Flow": Ref("Flow"),
        "From": GetAtt(groups[0], "GroupId"),
        "To": GetAtt(groups[1], "GroupId"),
    }
    for name, value in outputs.items():
        template.add_output(Output(name, Value=value))
    return template


def egress(aws, group, peer):
    """Ports and descriptions of the rules of a group that lead to another one."""
    (found,) = aws.client("ec2").describe_security_groups(GroupIds=[group])["SecurityGroups"]
    return [
        (permission["FromPort"], pair.get("Description"))
        for permission in found["IpPermissionsEgress"]
        for pair in permission["UserIdGroupPairs"]
        if pair["GroupId"] == peer
    ]


def test_the_network_of_a_template_exists(aws, deploy_stack, unique):
    outputs = deploy_stack(f"network-{unique}", network())
    client = aws.client("ec2")
    (gateway,) = client.describe_nat_gateways(NatGatewayIds=[outputs["Gateway"]])["NatGateways"]
    assert (gateway["State"], gateway["VpcId"]) == ("available", outputs["Vpc"])
    addresses = client.describe_addresses()["Addresses"]
    assert outputs["Address"] in {address["PublicIp"] for address in addresses}
    (flow,) = client.describe_flow_logs(FlowLogIds=[outputs["Flow"]])["FlowLogs"]
    assert (flow["ResourceId"], flow["TrafficType"]) == (outputs["Vpc"], "ALL")
    assert egress(aws, outputs["From"], outputs["To"]) == [(443, "for one")]


def test_tags_and_descriptions_change_in_place(aws, deploy_stack, unique, update):
    name = f"network-{unique}"
    outputs = deploy_stack(name, network())
    changes = update(name, network(owner="two"))
    # The gateway names an attribute of the address, which CloudFormation cannot foresee.
    assert changes == {
        "Address": "False",
        "Gateway": "Conditional",
        "Rule": "False",
        "Flow": "False",
    }
    client = aws.client("ec2")
    tags = client.describe_tags(Filters=[{"Name": "key", "Values": ["Owner"]}])["Tags"]
    assert {(tag["ResourceId"], tag["Value"]) for tag in tags} >= {
        (outputs["Gateway"], "two"),
        (outputs["Flow"], "two"),
    }
    assert egress(aws, outputs["From"], outputs["To"]) == [(443, "for two")]


def test_what_cannot_change_is_replaced(aws, deploy_stack, unique, update):
    name = f"network-{unique}"
    old = deploy_stack(name, network())
    changes = update(name, network(port=8443, subnet="PublicB"))
    assert changes == {"Gateway": "True", "Rule": "True"}
    client = aws.client("ec2")
    (gateway,) = client.describe_nat_gateways(NatGatewayIds=[old["Gateway"]])["NatGateways"]
    assert gateway["State"] == "deleted"
    assert egress(aws, old["From"], old["To"]) == [(8443, "for one")]


def test_a_deleted_stack_leaves_nothing(aws, deploy_stack, unique):
    name = f"network-{unique}"
    outputs = deploy_stack(name, network())
    client = aws.client("cloudformation")
    client.delete_stack(StackName=name)
    client.get_waiter("stack_delete_complete").wait(
        StackName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 100}
    )
    addresses = aws.client("ec2").describe_addresses()["Addresses"]
    assert outputs["Address"] not in {address["PublicIp"] for address in addresses}
    assert aws.client("ec2").describe_flow_logs(FlowLogIds=[outputs["Flow"]])["FlowLogs"] == []


def database(unique, storage="20"):
    template = Template()
    instance = template.add_resource(
        rds.DBInstance(
            "Database",
            DBInstanceIdentifier=f"db-{unique}",
            DBInstanceClass="db.t4g.micro",
            Engine="postgres",
            AllocatedStorage=storage,
            MasterUsername="administrator",
            ManageMasterUserPassword=True,
            MultiAZ=True,
        )
    )
    secret = GetAtt(instance, "MasterUserSecret.SecretArn")
    template.add_output(Output("Secret", Value=secret))
    template.add_output(Output("Endpoint", Value=GetAtt(instance, "Endpoint.Address")))
    return template


def test_rds_keeps_the_master_password_in_a_secret(aws, deploy_stack, unique, update):
    name = f"database-{unique}"
    outputs = deploy_stack(name, database(unique))
    secrets = aws.client("secretsmanager")
    secret = json.loads(secrets.get_secret_value(SecretId=outputs["Secret"])["SecretString"])
    assert secret["username"] == "administrator"
    assert len(secret["password"]) >= 28
    # Where the PostgreSQL that stands in listens.
    assert outputs["Endpoint"] == "localhost"

    assert update(name, database(unique, storage="40")) == {"Database": "False"}
    (instance,) = aws.client("rds").describe_db_instances(DBInstanceIdentifier=f"db-{unique}")[
        "DBInstances"
    ]
    assert (instance["AllocatedStorage"], instance["MultiAZ"]) == (40, True)
    stack = aws.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    kept = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    assert kept["Secret"] == outputs["Secret"]

    aws.client("cloudformation").delete_stack(StackName=name)
    aws.client("cloudformation").get_waiter("stack_delete_complete").wait(
        StackName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 100}
    )
    with pytest.raises(secrets.exceptions.ResourceNotFoundException):
        secrets.get_secret_value(SecretId=outputs["Secret"])
