"""Stacks in the embedded AWS: change sets, events, failures, recovery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber

from deploy.errors import DeployError, StackError
from deploy.events import Event, retained
from deploy.stack import Stack
from deploy.template import StackTemplate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import EmbeddedAws

REPLACED = "  !! HOLDS DATA: the new resource starts empty"
Resources = dict[str, dict[str, Any]]


def queue(name: str, **properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": name, **properties}}


def table(name: str) -> dict[str, Any]:
    return {
        "Type": "AWS::DynamoDB::Table",
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": {
            "TableName": name,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        },
    }


def broken(after: str) -> dict[str, Any]:
    """A resource that fails while it is created: its function does not exist."""
    return {
        "Type": "AWS::Lambda::Url",
        "DependsOn": after,
        "Properties": {"AuthType": "AWS_IAM", "TargetFunctionArn": "no-such-function"},
    }


def waiting(seconds: int) -> Resources:
    """A resource that keeps its stack busy: nobody sends the signal it waits for."""
    return {
        "Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
        "Wait": {
            "Type": "AWS::CloudFormation::WaitCondition",
            "Properties": {"Handle": {"Ref": "Handle"}, "Timeout": str(seconds)},
        },
    }


class Deployer:
    """One stack of this test, and the events it went through."""

    def __init__(self, client: Any, name: str) -> None:
        self.client = client
        self.stack = Stack(client, name)
        self.events: list[Event] = []

    def template(self, resources: Resources, **sections: Any) -> StackTemplate:
        return StackTemplate(self.stack.name, {"Resources": resources, **sections})

    def deploy(self, resources: Resources, **sections: Any) -> list[str]:
        """Propose and execute, return the changes in words."""
        change_set = self.stack.propose(self.template(resources, **sections))
        if change_set.changes:
            self.stack.execute(change_set, self.events.append)
        else:
            self.stack.discard(change_set)
        return [str(change) for change in change_set.changes]


@pytest.fixture
def deployer(aws: EmbeddedAws, unique: str) -> Iterator[Deployer]:
    client = aws.client("cloudformation")
    deployer = Deployer(client, f"deploy-{unique}")
    yield deployer
    client.delete_stack(StackName=deployer.stack.name)


def test_a_new_stack_is_created_and_its_outputs_read(deployer: Deployer, unique: str) -> None:
    assert deployer.stack.status() is None
    assert deployer.stack.outputs() is None

    changes = deployer.deploy(
        {"Queue": queue(f"q-{unique}")},
        Outputs={"Name": {"Value": {"Fn::GetAtt": ["Queue", "QueueName"]}}},
    )

    assert changes == ["add  AWS::SQS::Queue  Queue"]
    assert deployer.stack.status() == "CREATE_COMPLETE"
    assert deployer.stack.outputs() == {"Name": f"q-{unique}"}


def test_each_event_is_told_once_and_in_order(deployer: Deployer, unique: str) -> None:
    deployer.deploy({"Queue": queue(f"q-{unique}")})
    name = deployer.stack.name

    assert [(event.logical_id, event.status) for event in deployer.events] == [
        (name, "CREATE_IN_PROGRESS"),
        ("Queue", "CREATE_IN_PROGRESS"),
        ("Queue", "CREATE_COMPLETE"),
        (name, "CREATE_COMPLETE"),
    ]
    deployer.events.clear()
    deployer.deploy({"Queue": queue(f"q-{unique}", DelaySeconds=1)})
    assert deployer.events[0].status == "UPDATE_IN_PROGRESS"
    assert len({event.event_id for event in deployer.events}) == len(deployer.events)


def test_more_events_than_a_page_holds_are_all_told(deployer: Deployer, unique: str) -> None:
    count = 60
    deployer.deploy({f"Queue{i}": queue(f"q{i}-{unique}") for i in range(count)})

    complete = [event for event in deployer.events if event.status == "CREATE_COMPLETE"]
    assert len(complete) == count + 1
    assert len({event.event_id for event in deployer.events}) == 2 * count + 2


def test_an_unchanged_stack_has_no_changes_and_keeps_no_change_set(
    deployer: Deployer, unique: str
) -> None:
    deployer.deploy({"Queue": queue(f"q-{unique}")})
    deployer.events.clear()

    assert deployer.deploy({"Queue": queue(f"q-{unique}")}) == []
    assert deployer.events == []
    sets = deployer.client.list_change_sets(StackName=deployer.stack.name)["Summaries"]
    assert not [each for each in sets if each["ExecutionStatus"] != "EXECUTE_COMPLETE"]


def test_an_update_says_what_it_modifies_replaces_and_removes(
    deployer: Deployer, unique: str
) -> None:
    deployer.deploy(
        {
            "Kept": queue(f"kept-{unique}"),
            "Renamed": queue(f"old-{unique}"),
            "Table": table(f"t-{unique}"),
        }
    )

    assert deployer.deploy(
        {"Kept": queue(f"kept-{unique}", DelaySeconds=1), "Renamed": queue(f"new-{unique}")}
    ) == [
        "modify  AWS::SQS::Queue  Kept (DelaySeconds)",
        f"replace  AWS::SQS::Queue  Renamed (QueueName){REPLACED}",
        "remove  AWS::DynamoDB::Table  Table: it stays in the account  !! HOLDS DATA",
    ]
    assert deployer.stack.status() == "UPDATE_COMPLETE"


def test_a_failed_creation_names_the_resource_first_and_leaves_no_data_in_the_way(
    aws: EmbeddedAws, deployer: Deployer, unique: str
) -> None:
    resources = {"Table": table(f"t-{unique}"), "Url": broken(after="Table")}

    with pytest.raises(StackError) as failure:
        deployer.deploy(resources)

    assert str(failure.value).startswith("Url (AWS::Lambda::Url): Lambda function not found")
    assert failure.value.details == (f"stack {deployer.stack.name} is now in ROLLBACK_COMPLETE",)
    # The table is to be retained, but an empty one would be in the way of the next creation.
    assert f"t-{unique}" not in aws.client("dynamodb").list_tables()["TableNames"]


def test_a_failed_update_names_the_resource_and_rolls_back(deployer: Deployer, unique: str) -> None:
    deployer.deploy({"Queue": queue(f"q-{unique}")})

    with pytest.raises(StackError, match=r"^Url \(AWS::Lambda::Url\): ") as failure:
        deployer.deploy({"Queue": queue(f"q-{unique}"), "Url": broken(after="Queue")})

    assert failure.value.details[-1].endswith("is now in UPDATE_ROLLBACK_COMPLETE")
    assert deployer.deploy({"Queue": queue(f"q-{unique}")}) == []


@pytest.fixture
def taken(aws: EmbeddedAws, unique: str) -> Iterator[str]:
    """The name of a bucket that belongs to no stack."""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=f"taken-{unique}")
    yield f"taken-{unique}"
    s3.delete_bucket(Bucket=f"taken-{unique}")


def test_what_validation_refuses_is_named_though_no_resource_has_failed(
    deployer: Deployer, taken: str
) -> None:
    bucket = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": {"Fn::Sub": taken}}}

    with pytest.raises(StackError) as failure:
        deployer.deploy({"Bucket": bucket})

    assert str(failure.value).startswith("Bucket (AWS::S3::Bucket): ")
    assert taken in str(failure.value)
    assert "docs/deploy.md" in failure.value.details[-1]


def test_something_that_exists_is_not_taken_in_unless_it_is_retained(
    deployer: Deployer, taken: str
) -> None:
    bucket = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": taken}}

    with pytest.raises(StackError, match=rf"^the change set of .* failed: .*{taken}"):
        deployer.deploy({"Bucket": bucket})
    assert deployer.stack.status() is None


def test_what_a_failed_creation_left_is_recognised_deleted_and_created_again(
    deployer: Deployer, unique: str
) -> None:
    with pytest.raises(StackError):
        deployer.deploy({"Queue": queue(f"q-{unique}"), "Url": broken(after="Queue")})
    assert deployer.stack.must_be_created_again()

    deployer.stack.delete(deployer.events.append)
    assert deployer.stack.status() is None
    deployer.deploy({"Queue": queue(f"q-{unique}")})

    assert deployer.stack.status() == "CREATE_COMPLETE"
    assert not deployer.stack.must_be_created_again()


def test_a_discarded_proposal_leaves_nothing(deployer: Deployer, unique: str) -> None:
    change_set = deployer.stack.propose(deployer.template({"Queue": queue(f"q-{unique}")}))
    assert deployer.stack.status() == "REVIEW_IN_PROGRESS"

    deployer.stack.discard(change_set)

    assert deployer.stack.status() is None
    assert deployer.stack.outputs() is None


def test_a_discarded_proposal_leaves_the_change_set_of_someone_else(
    deployer: Deployer, unique: str
) -> None:
    template = deployer.template({"Queue": queue(f"q-{unique}")})
    mine = deployer.stack.propose(template)
    deployer.client.create_change_set(
        StackName=mine.stack_id,
        ChangeSetName="someone-else",
        ChangeSetType="UPDATE",
        TemplateBody=template.body,
    )

    deployer.stack.discard(mine)

    assert deployer.stack.status() == "REVIEW_IN_PROGRESS"
    (left,) = deployer.client.list_change_sets(StackName=deployer.stack.name)["Summaries"]
    assert left["ChangeSetName"] == "someone-else"


def test_a_stack_left_in_review_is_created(deployer: Deployer, unique: str) -> None:
    deployer.stack.propose(deployer.template({"Queue": queue(f"q-{unique}")}))

    deployer.deploy({"Queue": queue(f"q-{unique}")})

    assert deployer.stack.status() == "CREATE_COMPLETE"


def test_a_refused_template_is_told_and_leaves_no_stack(deployer: Deployer) -> None:
    with pytest.raises(
        DeployError, match=rf"^CloudFormation refuses {deployer.stack.name}: .*Nope"
    ):
        deployer.deploy({"Thing": {"Type": "AWS::Nope::Thing"}})

    assert deployer.stack.status() is None


def test_a_busy_stack_is_refused_and_not_touched(deployer: Deployer, unique: str) -> None:
    change_set = deployer.stack.propose(deployer.template(waiting(seconds=2)))
    deployer.client.execute_change_set(ChangeSetName=change_set.change_set_id)

    with pytest.raises(DeployError, match=r"CREATE_IN_PROGRESS: another operation is running"):
        deployer.deploy({"Queue": queue(f"q-{unique}")})
    with pytest.raises(DeployError, match=r"CREATE_IN_PROGRESS: another operation is running"):
        deployer.stack.delete(print)

    assert deployer.stack.status() == "CREATE_IN_PROGRESS"
    assert deployer.stack.outputs() is None


def test_deletion_tells_what_it_retains(aws: EmbeddedAws, deployer: Deployer, unique: str) -> None:
    deployer.deploy({"Table": table(f"t-{unique}"), "Queue": queue(f"q-{unique}")})

    events = deployer.stack.delete(deployer.events.append)

    assert [event.physical_id for event in retained(events)] == [f"t-{unique}"]
    assert deployer.stack.status() is None
    assert deployer.stack.delete(print) == ()
    aws.client("dynamodb").delete_table(TableName=f"t-{unique}")


def test_retained_data_comes_back_when_the_stack_is_deployed_again(
    aws: EmbeddedAws, deployer: Deployer, unique: str
) -> None:
    dynamodb = aws.client("dynamodb")
    item = {"id": {"S": "1"}}
    deployer.deploy({"Table": table(f"t-{unique}")})
    dynamodb.put_item(TableName=f"t-{unique}", Item=item)
    deployer.stack.delete(print)

    # A creation that fails must not take the data with it either.
    with pytest.raises(StackError):
        deployer.deploy({"Table": table(f"t-{unique}"), "Url": broken(after="Table")})
    assert dynamodb.scan(TableName=f"t-{unique}")["Items"] == [item]
    deployer.stack.delete(print)

    assert deployer.deploy({"Table": table(f"t-{unique}")}) == [
        "import  AWS::DynamoDB::Table  Table: it is in the account already"
    ]
    assert deployer.stack.status() == "CREATE_COMPLETE"
    assert dynamodb.scan(TableName=f"t-{unique}")["Items"] == [item]
    dynamodb.delete_table(TableName=f"t-{unique}")


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback"),
        ("DELETE_FAILED", "can only be deleted"),
        ("ROLLBACK_FAILED", "can only be deleted"),
    ],
)
def test_a_stack_that_cannot_be_changed_says_what_to_do(status: str, advice: str) -> None:
    # Stubbed: the embedded AWS has no resource whose rollback or deletion fails.
    client = boto3.client("cloudformation", region_name="us-east-1")
    description = {
        "StackName": "shop-dev",
        "StackStatus": status,
        "CreationTime": "2026-01-02T03:04:05Z",
    }
    with Stubber(client) as stub:
        stub.add_response("describe_stacks", {"Stacks": [description]}, {"StackName": "shop-dev"})
        with pytest.raises(DeployError, match=rf"shop-dev is in {status}.*{advice}"):
            Stack(client, "shop-dev").propose(
                StackTemplate("shop-dev", {"Resources": {"Queue": queue("q")}})
            )
