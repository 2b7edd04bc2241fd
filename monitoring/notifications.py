"""Where alarms are told: an encrypted topic, an inbox queue, e-mail and HTTPS where they are set.

Whatever cannot be delivered ends in one dead-letter queue, and that queue has an alarm.
"""

from __future__ import annotations

from troposphere import Equals, GetAtt, Not, Output, Ref, Sub, Template, cloudwatch, kms, sns, sqs

from monitoring import context, naming, policies
from monitoring.alarms import PERIOD

TWO_WEEKS = 14 * 24 * 3600
"""Seconds: the longest SQS keeps a message."""


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
            Metadata=context.why("EventBridge and CloudWatch cannot use the key AWS manages"),
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


def add_topic(template: Template, stage: str) -> None:
    """Add the topic, and who may publish to it: EventBridge, and this stage's alarms.

    AWS: "You can't use Condition blocks in Amazon SNS topic policies for EventBridge", see
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
    """
    template.add_resource(
        sns.Topic(
            "Topic",
            Metadata=context.why("Takes every notification and hands it to the subscribers"),
            TopicName=Sub("${AWS::StackName}-notifications"),
            KmsMasterKeyId=Ref("Key"),
            Tags=naming.tags(),
        )
    )
    alarm_arns = "arn:${AWS::Partition}:cloudwatch:${AWS::Region}:${AWS::AccountId}:alarm:"
    template.add_resource(
        sns.TopicPolicy(
            "TopicPolicy",
            Topics=[Ref("Topic")],
            PolicyDocument=policies.document(
                policies.allow_service(
                    "Events", "events.amazonaws.com", "sns:Publish", Ref("Topic")
                ),
                {
                    **policies.allow_service(
                        "Alarms", "cloudwatch.amazonaws.com", "sns:Publish", Ref("Topic")
                    ),
                    "Condition": {
                        "StringEquals": {"aws:SourceAccount": Ref("AWS::AccountId")},
                        "ArnLike": {
                            "aws:SourceArn": Sub(alarm_arns + naming.alarm_prefix(stage) + "*")
                        },
                    },
                },
                policies.deny_without_tls("sns:Publish", Ref("Topic")),
            ),
        )
    )
    template.add_output(
        Output("TopicArn", Description="Every notification", Value=Ref("Topic")),
    )


def add_inbox(template: Template) -> None:
    """Add the queue `notifications`: every notification, kept for other tools to read."""
    template.add_resource(
        sqs.Queue(
            "Notifications",
            Metadata=context.why("Keeps every notification for other tools to read"),
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
                    "Condition": {"ArnEquals": {"aws:SourceArn": Ref("Topic")}},
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


def add_subscriptions(template: Template) -> None:
    """Add the inbox's subscription, and those of the parameters that are set."""
    undelivered = {"deadLetterTargetArn": GetAtt("DeadLetters", "Arn")}
    template.add_resource(
        sns.SubscriptionResource(
            "NotificationsSubscription",
            Metadata=context.why("Puts every notification into the inbox"),
            TopicArn=Ref("Topic"),
            Protocol="sqs",
            Endpoint=GetAtt("Notifications", "Arn"),
            RedrivePolicy=undelivered,
        )
    )
    for protocol, parameter in (("email", "AlertEmail"), ("https", "AlertHttpsEndpoint")):
        condition = f"Has{parameter}"
        template.add_condition(condition, Not(Equals(Ref(parameter), "")))
        template.add_resource(
            sns.SubscriptionResource(
                f"{parameter}Subscription",
                Metadata=context.why(f"Sends every notification to {parameter}, where it is set"),
                Condition=condition,
                TopicArn=Ref("Topic"),
                Protocol=protocol,
                Endpoint=Ref(parameter),
                # SNS takes a redrive policy for both, see
                # https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html
                RedrivePolicy=undelivered,
            )
        )


def add_dead_letters(template: Template, stage: str, rules: tuple[str, ...]) -> None:
    """Add the dead-letter queue of rules, subscriptions and the action, and its alarm.

    The alarm publishes to the topic by itself: a broken rule must not hide that rules are broken.
    `rules` are the logical ids of the rules that may send to the queue.
    """
    template.add_resource(
        sqs.Queue(
            "DeadLetters",
            Metadata=context.why("Keeps what was not delivered or done after every retry"),
            DeletionPolicy="Delete",
            UpdateReplacePolicy="Delete",
            QueueName=Sub("${AWS::StackName}-dead-letters"),
            MessageRetentionPeriod=TWO_WEEKS,
            SqsManagedSseEnabled=True,
            Tags=naming.tags(),
        )
    )
    queue = GetAtt("DeadLetters", "Arn")
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
                        "Topic", "sns.amazonaws.com", "sqs:SendMessage", queue
                    ),
                    "Condition": {"ArnEquals": {"aws:SourceArn": Ref("Topic")}},
                },
                policies.deny_without_tls("sqs:*", queue),
            ),
        )
    )
    template.add_resource(
        cloudwatch.Alarm(
            "DeadLettersAlarm",
            Metadata=context.why("Nobody is told of an alarm that cannot be delivered"),
            AlarmName=naming.alarm(stage, "monitoring", "dead_letters", "not-empty"),
            AlarmDescription=Sub(
                "Severity: critical. Owner: monitoring. Where: queue ${DeadLetters.QueueName}, "
                "account ${AWS::AccountId}, ${AWS::Region}. Meaning: a notification was not "
                "delivered or the action failed, after every retry. To do: read the message; its "
                "attributes name the rule, the target and the error. "
                "Runbook: docs/monitoring.md#not-empty"
            ),
            Namespace="AWS/SQS",
            MetricName="ApproximateNumberOfMessagesVisible",
            Dimensions=[
                cloudwatch.MetricDimension(
                    Name="QueueName", Value=GetAtt("DeadLetters", "QueueName")
                )
            ],
            Statistic="Maximum",
            Period=PERIOD,
            EvaluationPeriods=1,
            DatapointsToAlarm=1,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
            Threshold=1,
            TreatMissingData="notBreaching",
            AlarmActions=[Ref("Topic")],
            Tags=naming.tags(Owner="monitoring", Severity="critical"),
        )
    )
    template.add_output(
        Output(
            "DeadLetterQueueUrl",
            Description="What could not be delivered or done",
            Value=Ref("DeadLetters"),
        )
    )
