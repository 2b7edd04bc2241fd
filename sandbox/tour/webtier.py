"""The web tier read back from its deployed stack, and an alarm that reaches a subscriber."""

from __future__ import annotations

import contextlib
import json
import uuid
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import httpx

from sandbox.parts import STAGE
from sandbox.tour.report import StepFailure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.tour.context import Context
    from sandbox.tour.report import Report, Step

STACK = f"webtier-{STAGE}"


def tour(context: Context, report: Report) -> None:
    """Show where requests enter, where instances run, what scales them, and who is told."""
    with report.step("webtier: load balancer → instances in private subnets → database") as step:
        stack = _resources(context)
        step.evidence("stack", f"{STACK}, {sum(map(len, stack.values()))} resources")

        balancer = context.client("elbv2").describe_load_balancers(
            LoadBalancerArns=stack["AWS::ElasticLoadBalancingV2::LoadBalancer"]
        )["LoadBalancers"][0]
        public = _subnets(context, [zone["SubnetId"] for zone in balancer["AvailabilityZones"]])
        zones = sorted(subnet["AvailabilityZone"] for subnet in public)
        step.evidence("load balancer", f"{balancer['Scheme']} in {', '.join(zones)}")
        step.check(balancer["Scheme"] == "internet-facing", "it does not face the internet")

        group = _group(context, stack)
        step.evidence(
            "Auto Scaling",
            f"{group['MinSize']} to {group['MaxSize']} instances, "
            f"{group['DesiredCapacity']} wanted, health from {group['HealthCheckType']}",
        )
        subnets = _subnets(context, group["VPCZoneIdentifier"].split(","))
        for subnet in subnets:
            target = _default_route(context, subnet["SubnetId"])
            step.evidence(
                "  subnet",
                f"{subnet['CidrBlock']} in {subnet['AvailabilityZone']}, out by {target}",
            )
            step.check(not target.startswith("igw-"), "the subnet is public")
        step.check(len({s["AvailabilityZone"] for s in subnets}) >= 2, "there is only one zone")

        database = context.client("rds").describe_db_instances(
            DBInstanceIdentifier=stack["AWS::RDS::DBInstance"][0]
        )["DBInstances"][0]
        step.evidence(
            "database",
            f"{database['Engine']} {database['EngineVersion']}, Multi-AZ {database['MultiAZ']}, "
            f"encrypted {database['StorageEncrypted']}, public {database['PubliclyAccessible']}",
        )
        step.check(database["MultiAZ"] and database["StorageEncrypted"], "it is not as promised")
        step.check(not database["PubliclyAccessible"], "the database is public")

    with report.step("webtier: people use it; each page says which instance answered") as step:
        _use(context, step)

    with report.step("webtier: an instance is lost; the other answers, a new one comes") as step:
        _lose_an_instance(context, step)

    with report.step("webtier: the database fails over; pages say so, and are back") as step:
        _fail_over(context, step)

    with report.step("webtier: demand adds and removes instances") as step:
        policies = context.client("autoscaling").describe_policies(
            AutoScalingGroupName=_group(context, _resources(context))["AutoScalingGroupName"]
        )["ScalingPolicies"]
        for policy in policies:
            tracking = policy["TargetTrackingConfiguration"]
            step.evidence(
                policy["PolicyType"],
                f"{tracking['PredefinedMetricSpecification']['PredefinedMetricType']} "
                f"kept at {float(tracking['TargetValue']):g}",
            )
        step.check(len(policies) >= 2, "expected two target tracking policies")

    with report.step("webtier: a crossed threshold sends an SNS alert") as step:
        name = _resources(context)["AWS::CloudWatch::Alarm"][0]
        cloudwatch = context.client("cloudwatch")
        alarm = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]
        topic = alarm["AlarmActions"][0]
        step.evidence("alarm", f"{name} → {topic}")
        with _inbox(context, topic) as receive:
            # AWS's own way to try an alarm's actions: CloudWatch API reference, SetAlarmState.
            cloudwatch.set_alarm_state(
                AlarmName=name, StateValue="ALARM", StateReason="The tour tries the alarm."
            )
            message = step.wait("the alert", receive, timeout=30)
        step.evidence("delivered", f"{message['AlarmName']} is {message['NewStateValue']}")
        step.check(message["AlarmName"] == name, "another alarm's message came")
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="The tour is over.")


def _use(context: Context, step: Step) -> None:
    with _browser(context) as site:
        step.evidence("web tier", context.deployed.webtier)
        note = {"id": str(uuid.uuid4()), "text": "A note of the tour"}
        for attempt in ("POST /notes", "sent again"):
            posted = site.post("/notes", data=note)
            step.evidence(attempt, f"{posted.status_code} to {posted.headers.get('location')}")
            step.check(posted.status_code == 303, f"expected 303: {posted.text}")
        page = site.get(f"/notes/{note['id']}")
        step.check(note["text"] in page.text, "the note is not there")
        answered = step.wait("both instances", _both(site), timeout=30)
        for instance, zone in sorted(answered.items()):
            step.evidence("answered by", f"{instance} in {zone}")
        step.check(len(set(answered.values())) == 2, "both are in one zone")


def _lose_an_instance(context: Context, step: Step) -> None:
    stack = _resources(context)
    lost = _group(context, stack)["Instances"][0]["InstanceId"]
    targets = stack["AWS::ElasticLoadBalancingV2::TargetGroup"][0]
    context.client("ec2").terminate_instances(InstanceIds=[lost])
    step.evidence("terminated", lost)

    def replaced() -> list[str] | None:
        statuses.update([site.get("/").status_code])
        described = context.client("elbv2").describe_target_health(TargetGroupArn=targets)
        healthy = [
            found["Target"]["Id"]
            for found in described["TargetHealthDescriptions"]
            if found["TargetHealth"]["State"] == "healthy"
        ]
        return healthy if len(healthy) == 2 and lost not in healthy else None

    statuses: Counter[int] = Counter()
    with _browser(context) as site:
        healthy = step.wait("its replacement", replaced, timeout=60)
    step.evidence("meanwhile", ", ".join(f"{n} × {status}" for status, n in statuses.items()))
    step.evidence("healthy", ", ".join(sorted(healthy)))
    step.check(statuses.keys() <= {200, 502}, "people were told something else")


def _fail_over(context: Context, step: Step) -> None:
    database = _resources(context)["AWS::RDS::DBInstance"][0]
    context.client("rds").reboot_db_instance(DBInstanceIdentifier=database, ForceFailover=True)
    step.evidence("failover", database)
    with _browser(context) as site:

        def answers(status: int) -> httpx.Response | None:
            answer = site.get("/")
            return answer if answer.status_code == status else None

        away = step.wait("the outage", lambda: answers(503), timeout=30)
        retry = away.headers.get("retry-after")
        step.evidence("GET /", f"{away.status_code}, Retry-After {retry}")
        step.check("Back in a moment" in away.text, "the page does not say why")
        back = step.wait("its end", lambda: answers(200), timeout=60)
        step.evidence("GET /", back.status_code)
        step.check("A note of the tour" in back.text, "the note is gone")


def _browser(context: Context) -> httpx.Client:
    """A client of the load balancer. Raises StepFailure where nothing is deployed."""
    if context.deployed.webtier is None:
        raise StepFailure("webtier is not deployed; `python -m deploy webtier --stage local`")
    return httpx.Client(base_url=context.deployed.webtier, timeout=30)


def _both(site: httpx.Client) -> Callable[[], dict[str, str] | None]:
    seen: dict[str, str] = {}

    def look() -> dict[str, str] | None:
        health = site.get("/health").json()
        seen[health["instance"]] = health["zone"]
        return seen if len(seen) == 2 else None

    return look


def _resources(context: Context) -> dict[str, list[str]]:
    """Physical ids of the stack's resources, by resource type."""
    found: dict[str, list[str]] = defaultdict(list)
    pages = context.client("cloudformation").get_paginator("list_stack_resources")
    for page in pages.paginate(StackName=STACK):
        for resource in page["StackResourceSummaries"]:
            found[resource["ResourceType"]].append(resource["PhysicalResourceId"])
    return found


def _group(context: Context, stack: dict[str, list[str]]) -> dict[str, Any]:
    groups = context.client("autoscaling").describe_auto_scaling_groups(
        AutoScalingGroupNames=stack["AWS::AutoScaling::AutoScalingGroup"]
    )
    group: dict[str, Any] = groups["AutoScalingGroups"][0]
    return group


def _subnets(context: Context, identifiers: list[str]) -> list[dict[str, Any]]:
    described = context.client("ec2").describe_subnets(SubnetIds=identifiers)
    subnets: list[dict[str, Any]] = described["Subnets"]
    return subnets


def _default_route(context: Context, subnet: str) -> str:
    """The gateway that traffic to the internet takes from the subnet, or "none"."""
    tables = context.client("ec2").describe_route_tables(
        Filters=[{"Name": "association.subnet-id", "Values": [subnet]}]
    )["RouteTables"]
    for route in tables[0]["Routes"]:
        if route.get("DestinationCidrBlock") == "0.0.0.0/0":
            return str(route.get("NatGatewayId") or route.get("GatewayId"))
    return "none"


@contextlib.contextmanager
def _inbox(context: Context, topic: str) -> Iterator[Any]:
    """A queue subscribed to the topic for a while; gives a function that reads one message."""
    sqs, sns = context.client("sqs"), context.client("sns")
    queue = sqs.create_queue(QueueName=f"{STACK}-tour")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    arn = attributes["Attributes"]["QueueArn"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    subscription = sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=arn, ReturnSubscriptionArn=True
    )["SubscriptionArn"]

    def receive() -> dict[str, Any] | None:
        received = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages", [])
        for message in received:
            document: dict[str, Any] = json.loads(json.loads(message["Body"])["Message"])
            return document
        return None

    try:
        yield receive
    finally:
        sns.unsubscribe(SubscriptionArn=subscription)
        sqs.delete_queue(QueueUrl=queue)
