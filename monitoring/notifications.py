"""Where alarms are told: an encrypted topic a severity, an inbox, e-mail and HTTPS where set.

Whatever cannot be delivered ends in one dead-letter queue, and that queue has an alarm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from troposphere import Equals, GetAtt, Not, Output, Ref, Sub, Template, kms, sns, sqs

from monitoring import context, inventory, naming, policies
from monitoring.thresholds import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Iterable

TWO_WEEKS = 14 * 24 * 3600
"""Seconds: the longest SQS keeps a message."""

DELIVERY_POLICY = {
    "healthyRetryPolicy": {
        "numNoDelayRetries": 1,
        "numMinDelayRetries": 2,
        "minDelayTarget": 5,
        "numMaxDelayRetries": 8,
        "maxDelayTarget": 300,
        "numRetries": 17,
        "backoffFunction": "exponential",
    }
}
"""How an endpoint that fails is tried again: for 50 minutes, and not for one as by default.

SNS takes an hour at most, see
https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html
"""


def add_key(template: Template, stage: str) -> None:
    """Add the key of the topic and of the action's log.

    EventBridge and CloudWatch cannot use the key AWS manages for SNS. EventBridge sends no
    aws:SourceArn or aws:SourceAccount to KMS when its target is an encrypted topic: a condition on
    them would drop every notification, so its statement has none.
    https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
    """
    use = ["kms:Decrypt", "kms:GenerateDataKey"]
    log_group = "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:/aws/lambda/"
    template.add_resource(
        kms.Key(
            "Key",
            Metadata=context.why("EventBridge and CloudWatch cannot use the key AWS manages")
            | context.unlike_parliament(
                ("RESOURCE_MISMATCH", "kms:* is KMS's own default statement, for this key alone"),
                ("UNKNOWN_CONDITION_FOR_ACTION", "CloudWatch Logs documents this very statement"),
                ("MISMATCHED_TYPE", "CloudWatch Logs documents this very statement"),
            ),
            DeletionPolicy="Delete",
            UpdateReplacePolicy="Delete",
            PendingWindowInDays=30,
            Description=Sub("${AWS::StackName}: notifications and the action's log"),
            EnableKeyRotation=True,
            KeyPolicy=policies.document(
                {
                    # The default statement of KMS: without it only the key's policy rules.
                    "Sid": "AccountsOwnPolicies",
                    "Effect": "Allow",
                    "Principal": {"AWS": Sub("arn:${AWS::Partition}:iam::${AWS::AccountId}:root")},
                    "Action": "kms:*",
                    "Resource": "*",
                },
                {
                    # AWS Control Tower controls reference, CT.KMS.PR.3: a grant would outlast
                    # whoever makes it.
                    "Sid": "GrantsForServicesAlone",
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "kms:CreateGrant",
                    "Resource": "*",
                    "Condition": {
                        "BoolIfExists": {
                            "kms:GrantIsForAWSResource": "false",
                            "aws:PrincipalIsAWSService": "false",
                        }
                    },
                },
                policies.allow_service("Events", "events.amazonaws.com", use, "*"),
                {
                    **policies.allow_service("Alarms", "cloudwatch.amazonaws.com", use, "*"),
                    "Condition": {"StringEquals": {"aws:SourceAccount": Ref("AWS::AccountId")}},
                },
                {
                    # Amazon CloudWatch Logs User Guide, "Encrypt log data using AWS KMS".
                    "Sid": "Logs",
                    "Effect": "Allow",
                    "Principal": {"Service": Sub("logs.${AWS::Region}.amazonaws.com")},
                    "Action": ["kms:DescribeKey", "kms:Encrypt", "kms:ReEncrypt*", *use],
                    "Resource": "*",
                    "Condition": {
                        "ArnEquals": {
                            "kms:EncryptionContext:aws:logs:arn": Sub(
                                log_group + naming.action(stage)
                            )
                        }
                    },
                },
            ),
            Tags=naming.tags(),
        )
    )


def topic(severity: str) -> str:
    """Return the logical id of the topic of a severity."""
    return naming.logical_id(severity, "topic")


def add_topics(template: Template, stage: str) -> None:
    """Add the topics, and who may publish to them: EventBridge, and this stage's alarms.

    AWS: "You can't use Condition blocks in Amazon SNS topic policies for EventBridge", see
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
    """
    alarm_arns = "arn:${AWS::Partition}:cloudwatch:${AWS::Region}:${AWS::AccountId}:alarm:"
    for severity in SEVERITIES:
        name = topic(severity)
        template.add_resource(
            sns.Topic(
                name,
                Metadata=context.why(f"Hands what is {severity} to its subscribers"),
                TopicName=Sub(f"${{AWS::StackName}}-{severity}"),
                KmsMasterKeyId=Ref("Key"),
                Tags=naming.tags(Severity=severity),
            )
        )
        template.add_resource(
            sns.TopicPolicy(
                f"{name}Policy",
                Topics=[Ref(name)],
                PolicyDocument=policies.document(
                    policies.allow_service(
                        "Events", "events.amazonaws.com", "sns:Publish", Ref(name)
                    ),
                    {
                        **policies.allow_service(
                            "Alarms", "cloudwatch.amazonaws.com", "sns:Publish", Ref(name)
                        ),
                        "Condition": {
                            "StringEquals": {"aws:SourceAccount": Ref("AWS::AccountId")},
                            "ArnLike": {
                                "aws:SourceArn": Sub(alarm_arns + naming.alarm_prefix(stage) + "*")
                            },
                        },
                    },
                    policies.deny_without_tls("sns:Publish", Ref(name)),
                ),
            )
        )
        template.add_output(
            Output(f"{name}Arn", Description=f"What is {severity}", Value=Ref(name)),
        )


def add_inbox(template: Template, record_rule: str) -> None:
    """Add the queue `notifications`: every change and notification, for other tools to read.

    `record_rule` is the logical id of the rule that puts every alarm's change there.
    """
    template.add_resource(
        sqs.Queue(
            "Notifications",
            Metadata={
                **context.why("Keeps every change and notification for other tools to read"),
                inventory.METADATA: {"Purpose": "archive"},
                **context.unlike_cdk_nag(
                    ("AwsSolutions-SQS3", "its messages are kept until they expire: none fails"),
                ),
                **context.unlike_checkov(context.SQS_KEY),
            },
            DeletionPolicy="Delete",
            UpdateReplacePolicy="Delete",
            QueueName=Sub("${AWS::StackName}-notifications"),
            MessageRetentionPeriod=TWO_WEEKS,
            SqsManagedSseEnabled=True,
            Tags=naming.tags(),
        )
    )
    template.add_resource(
        sqs.QueuePolicy(
            "NotificationsPolicy",
            Queues=[Ref("Notifications")],
            PolicyDocument=policies.document(
                {
                    **policies.allow_service(
                        "Topic",
                        "sns.amazonaws.com",
                        "sqs:SendMessage",
                        GetAtt("Notifications", "Arn"),
                    ),
                    "Condition": {"ArnEquals": {"aws:SourceArn": _topics()}},
                },
                {
                    **policies.allow_service(
                        "Rules",
                        "events.amazonaws.com",
                        "sqs:SendMessage",
                        GetAtt("Notifications", "Arn"),
                    ),
                    "Condition": {"ArnEquals": {"aws:SourceArn": GetAtt(record_rule, "Arn")}},
                },
                policies.deny_without_tls("sqs:*", GetAtt("Notifications", "Arn")),
            ),
        )
    )
    template.add_output(
        Output(
            "NotificationsQueueUrl",
            Description="Every notification, for two weeks",
            Value=Ref("Notifications"),
        )
    )


def _topics() -> list[Ref]:
    return [Ref(topic(severity)) for severity in SEVERITIES]


def add_subscriptions(template: Template) -> None:
    """Add the inbox's subscriptions, and those of the parameters that are set."""
    for severity in SEVERITIES:
        _subscribe(
            template,
            naming.logical_id("notifications", severity, "subscription"),
            severity,
            "sqs",
            GetAtt("Notifications", "Arn"),
            None,
        )
    for severity, parameters in (
        ("critical", {"email": "AlertEmail", "https": "AlertHttpsEndpoint"}),
        ("warning", {"email": "WarningEmail", "https": "WarningHttpsEndpoint"}),
    ):
        for protocol, parameter in parameters.items():
            condition = f"Has{parameter}"
            template.add_condition(condition, Not(Equals(Ref(parameter), "")))
            _subscribe(
                template,
                f"{parameter}Subscription",
                severity,
                protocol,
                Ref(parameter),
                condition,
            )


def _subscribe(
    template: Template,
    logical_id: str,
    severity: str,
    protocol: str,
    endpoint: Ref | GetAtt,
    condition: str | None,
) -> None:
    subscription = sns.SubscriptionResource(
        logical_id,
        Metadata=context.why(f"Sends what is {severity} by {protocol}"),
        TopicArn=Ref(topic(severity)),
        Protocol=protocol,
        Endpoint=endpoint,
        # SNS takes a redrive policy for all of them, see
        # https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html
        RedrivePolicy={"deadLetterTargetArn": GetAtt("DeadLetters", "Arn")},
    )
    if condition:
        subscription.Condition = condition
    if protocol == "https":
        subscription.DeliveryPolicy = DELIVERY_POLICY
    template.add_resource(subscription)


def add_dead_letters(template: Template, rules: Iterable[str]) -> None:
    """Add the dead-letter queue of rules, subscriptions and actions.

    `rules` are the logical ids of the rules that may send to it. Its alarm publishes to the topic
    by itself (`alarms` makes it, `build` adds that): a broken rule must not hide that it is broken.
    """
    queue = GetAtt("DeadLetters", "Arn")
    template.add_resource(
        sqs.Queue(
            "DeadLetters",
            Metadata=context.why("Keeps what was not delivered or done after every retry")
            | context.unlike_checkov(context.SQS_KEY),
            DeletionPolicy="Delete",
            UpdateReplacePolicy="Delete",
            QueueName=Sub("${AWS::StackName}-dead-letters"),
            MessageRetentionPeriod=TWO_WEEKS,
            SqsManagedSseEnabled=True,
            Tags=naming.tags(),
        )
    )
    template.add_resource(
        sqs.QueuePolicy(
            "DeadLettersPolicy",
            Queues=[Ref("DeadLetters")],
            PolicyDocument=policies.document(
                {
                    **policies.allow_service(
                        "Rules", "events.amazonaws.com", "sqs:SendMessage", queue
                    ),
                    "Condition": {
                        "ArnEquals": {"aws:SourceArn": [GetAtt(rule, "Arn") for rule in rules]}
                    },
                },
                {
                    **policies.allow_service(
                        "Topics", "sns.amazonaws.com", "sqs:SendMessage", queue
                    ),
                    "Condition": {"ArnEquals": {"aws:SourceArn": _topics()}},
                },
                policies.deny_without_tls("sqs:*", queue),
            ),
        )
    )
    template.add_output(
        Output(
            "DeadLetterQueueUrl",
            Description="What could not be delivered or done",
            Value=Ref("DeadLetters"),
        )
    )
