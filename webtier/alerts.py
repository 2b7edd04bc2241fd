"""Who hears of what goes wrong: one encrypted topic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from troposphere import GetAtt, Ref, sns

from . import database_events, parameters, policies
from .exemptions import exempt

if TYPE_CHECKING:
    from troposphere import AWSObject, kms

    from .database import Database


@dataclass(frozen=True)
class Alerts:
    """The topic, who may publish to it, and all the resources around it."""

    topic: sns.Topic
    policy: sns.TopicPolicy
    resources: tuple[AWSObject, ...]


def build(key: kms.Key, data: Database) -> Alerts:
    """The topic, its policy and the e-mail subscription."""
    topic = sns.Topic("Alerts", KmsMasterKeyId=GetAtt(key, "Arn"))
    subscription = sns.SubscriptionResource(
        "AlertEmailSubscription",
        Condition=parameters.HAS_ALERT_EMAIL,
        TopicArn=Ref(topic),
        Protocol="email",
        Endpoint=Ref(parameters.ALERT_EMAIL),
        Metadata=exempt(
            (
                "SNSRedrivePolicy",
                "Mail that does not arrive is what the alarm for failed notifications is for.",
            )
        ),
    )
    policy = sns.TopicPolicy(
        "AlertsPolicy",
        Topics=[Ref(topic)],
        PolicyDocument=policies.document(
            policies.tls_only("sns:Publish", [Ref(topic)]),
            {
                "Sid": "CloudWatchAlarms",
                "Effect": "Allow",
                "Principal": {"Service": "cloudwatch.amazonaws.com"},
                "Action": "sns:Publish",
                "Resource": Ref(topic),
                "Condition": policies.THIS_ACCOUNT,
            },
            {
                "Sid": "DatabaseEvents",
                "Effect": "Allow",
                "Principal": {"Service": database_events.SERVICE},
                "Action": "sns:Publish",
                "Resource": Ref(topic),
                "Condition": database_events.publishing(data),
            },
        ),
    )
    return Alerts(topic, policy, (topic, policy, subscription))
