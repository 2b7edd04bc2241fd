"""Somebody hears from RDS what happens to the database, whatever kind of it there is."""

from __future__ import annotations

from typing import Any

from tests.unit.webtier.strategies import Resources, for_any_options
from webtier.options import Database, Options

# Amazon RDS User Guide, "Amazon RDS event categories and event messages".
OF_INSTANCES = {
    *("availability", "backup", "configuration change", "creation", "deletion", "failover"),
    *("failure", "low storage", "maintenance", "notification", "read replica", "recovery"),
    *("restoration", "security", "security patching"),
}
OF_CLUSTERS = {"configuration change", "creation", "failover", "failure", "global failover"} | {
    "maintenance",
    "notification",
}
RDS = {"Service": "events.rds.amazonaws.com"}


def subscription(resources: Resources) -> dict[str, Any]:
    (found,) = (
        resource
        for resource in resources.values()
        if resource["Type"] == "AWS::RDS::EventSubscription"
    )
    return found


def statement_of_rds(document: dict[str, Any]) -> dict[str, Any]:
    (found,) = (one for one in document["Statement"] if one.get("Principal") == RDS)
    return found


@for_any_options
def test_the_alerts_hear_of_every_database_by_categories_that_exist(
    options: Options, resources: Resources
) -> None:
    properties = subscription(resources)["Properties"]
    assert properties["SnsTopicArn"] == {"Ref": "Alerts"}
    kind, known = ("db-instance", OF_INSTANCES)
    if options.database is Database.CLUSTER:
        kind, known = ("db-cluster", OF_CLUSTERS)
    assert properties["SourceType"] == kind
    assert {"failover", "failure", "maintenance"} <= set(properties["EventCategories"]) <= known
    databases = {
        title
        for title, resource in resources.items()
        if resource["Type"] in ("AWS::RDS::DBInstance", "AWS::RDS::DBCluster")
    }
    assert {source["Ref"] for source in properties["SourceIds"]} == databases
    assert properties["Enabled"] is True


@for_any_options
def test_rds_may_publish_for_these_databases_and_use_the_key_for_this_account(
    resources: Resources,
) -> None:
    found = subscription(resources)
    (policy,) = (
        resources[name] for name in [found["DependsOn"]] if name == "AlertsPolicy"
    )  # RDS asks for it when the subscription is made
    statement = statement_of_rds(policy["Properties"]["PolicyDocument"])
    assert statement["Action"] == "sns:Publish"
    account = {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    assert statement["Condition"]["StringEquals"] == account
    sources = [one["Fn::GetAtt"] for one in statement["Condition"]["ArnLike"]["aws:SourceArn"]]
    assert [name for name, _ in sources] == [
        source["Ref"] for source in found["Properties"]["SourceIds"]
    ]
    assert {attribute for _, attribute in sources} <= {"DBInstanceArn", "DBClusterArn"}
    used = statement_of_rds(resources["Key"]["Properties"]["KeyPolicy"])
    assert used["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]
    assert used["Condition"] == {"StringEquals": account}
