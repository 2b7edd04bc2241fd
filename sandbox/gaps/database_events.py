"""What RDS tells of its databases: events, and subscriptions of topics to them.

AWS: AWS::RDS::EventSubscription sends the events of some sources and categories to a topic, where
the topic's policy, and for an encrypted topic its key's policy, lets events.rds.amazonaws.com. A
failover is told when it starts and when it is complete. Sources: Amazon RDS user guide, "Working
with Amazon RDS event notification",
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.html; Amazon RDS API reference,
CreateEventSubscription.

MiniStack 1.5.33: has no subscriptions, and knows one event, that an instance restarted.

The filler: the type, the two events of a failover, and the delivery of all three.
"""

from __future__ import annotations

import json
import time
from typing import Any

from ministack.core.arn import parse_arn
from ministack.core.responses import get_account_id, get_region, new_uuid
from ministack.services import rds, sns

from sandbox.gaps import permissions
from sandbox.gaps.resource_types import Attributes, Properties, ResourceType, register

TYPE = "AWS::RDS::EventSubscription"
SERVICE = "events.rds.amazonaws.com"
DOCUMENT = "http://docs.amazonwebservices.com/AmazonRDS/latest/UserGuide/USER_Events.html"
# Category, event and message: "Amazon RDS event categories and event messages".
RESTARTED = ("availability", "RDS-EVENT-0006", "DB instance restarted.")
STARTED = ("failover", "RDS-EVENT-0013", "Multi-AZ instance failover started.")
COMPLETED = ("failover", "RDS-EVENT-0049", "Multi-AZ instance failover completed.")
SOURCES = {"db-instance": rds._instances, "db-cluster": rds._clusters}

# Properties of subscriptions by account, region and name.
_subscriptions: dict[tuple[str, str, str], Properties] = {}
_record_reboot = rds._record_reboot_event


def install() -> None:
    """Add the type, and tell of restarts."""
    register(TYPE, ResourceType(create, delete, update, ("SnsTopicArn", "SubscriptionName")))
    rds._record_reboot_event = record_reboot


def reset() -> None:
    """Forget every subscription."""
    _subscriptions.clear()


def create(logical_id: str, properties: Properties, stack_name: str) -> tuple[str, Attributes]:
    """Subscribe a topic; Ref is the subscription's name. Raises ValueError as `check` does."""
    check(properties)
    name = properties.get("SubscriptionName") or f"{stack_name}-{logical_id}-{new_uuid()[:12]}"
    _subscriptions[key(name.lower())] = properties
    return name.lower(), {}


def update(name: str, properties: Properties) -> Attributes:
    """Change what it is about. Raises ValueError as `check` does."""
    check(properties)
    _subscriptions[key(name)] = properties
    return {}


def delete(name: str, _properties: Properties) -> None:
    """End it."""
    _subscriptions.pop(key(name), None)


def check(properties: Properties) -> None:
    """Raise ValueError where the topic or a source does not exist, or sources have no type."""
    topic = properties["SnsTopicArn"]
    if sns._topic_by_arn_any_scope(topic) is None:
        raise ValueError(f"SNS topic {topic} does not exist (SNSTopicArnNotFound)")
    identifiers = properties.get("SourceIds") or []
    existing = SOURCES.get(properties.get("SourceType", ""))
    if identifiers and existing is None:
        raise ValueError(f"SourceIds need a SourceType of {', '.join(SOURCES)}")
    for identifier in identifiers:
        if identifier not in (existing or {}):
            raise ValueError(f"Could not find source {identifier} (SourceNotFound)")


def key(name: str) -> tuple[str, str, str]:
    """Where a subscription of this request's account and region is kept."""
    return get_account_id(), get_region(), name


def record_failover(instance: dict[str, Any], event: tuple[str, str, str]) -> None:
    """Keep one of the events of a failover for DescribeEvents, and tell of it."""
    rds._events[new_uuid()] = {
        "SourceIdentifier": instance["DBInstanceIdentifier"],
        "SourceType": "db-instance",
        "SourceArn": instance["DBInstanceArn"],
        "Message": event[2],
        "Date": time.time(),
        "EventCategories": [event[0]],
    }
    tell(instance, event)


def record_reboot(instance: dict[str, Any]) -> None:
    """Keep the emulator's event, and tell of it."""
    _record_reboot(instance)
    tell(instance, RESTARTED)


def tell(instance: dict[str, Any], event: tuple[str, str, str]) -> None:
    """Send an event of an instance to every topic subscribed to it, where RDS may publish."""
    category, identifier, message = event
    arn = parse_arn(instance["DBInstanceArn"])
    now = time.gmtime()
    text = json.dumps(
        {
            "Event Source": "db-instance",
            "Event Time": time.strftime("%Y-%m-%d %H:%M:%S.000", now),
            "Source ID": instance["DBInstanceIdentifier"],
            "Source ARN": instance["DBInstanceArn"],
            "Event ID": f"{DOCUMENT}#{identifier}",
            "Event Message": message,
        }
    )
    for (account, region, _), subscription in list(_subscriptions.items()):
        topic = subscription["SnsTopicArn"]
        if (
            (account, region) == (arn.account_id, arn.region)
            and wants(subscription, instance["DBInstanceIdentifier"], category)
            and permissions.may_publish(topic, SERVICE, instance["DBInstanceArn"], account)
        ):
            sns._fanout(topic, new_uuid(), text, "RDS Notification Message")


def wants(subscription: Properties, source: str, category: str) -> bool:
    """Whether a subscription is about that instance and category; what it does not name is all."""
    return (
        str(subscription.get("Enabled", True)).lower() == "true"
        and subscription.get("SourceType") in (None, "", "db-instance")
        and source in (subscription.get("SourceIds") or [source])
        and category in (subscription.get("EventCategories") or [category])
    )
