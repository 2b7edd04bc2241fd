"""What has no metric: failed stack operations and AWS's own trouble, sent from account to account.

A rule in the workload account puts these events on a bus of the monitoring account, whose policy
lets in that account, these sources and nothing else. Source: Amazon EventBridge user guide,
"Sending and receiving events between AWS accounts in Amazon EventBridge",
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-account.html.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from troposphere import GetAtt, Output, Ref, Sub, Template, events, iam, sqs

from monitoring import context, naming, policies, routing
from monitoring.notifications import TWO_WEEKS
from monitoring.organization import in_organization

if TYPE_CHECKING:
    from collections.abc import Iterable

SOURCES = ("aws.cloudformation", "aws.health")
FAILED = (
    "CREATE_FAILED",
    "DELETE_FAILED",
    "ROLLBACK_COMPLETE",
    "ROLLBACK_FAILED",
    "UPDATE_ROLLBACK_COMPLETE",
    "UPDATE_ROLLBACK_FAILED",
)
"""Stack statuses after which something is not as it was asked to be."""

STACKS_RULE = "FailedStackRule"
HEALTH_RULE = "HealthRule"


def failed_stack_pattern(prefixes: Iterable[str]) -> dict[str, Any]:
    """Return the pattern of a failed operation on a stack whose name begins like this."""
    stacks = "arn:${AWS::Partition}:cloudformation:${AWS::Region}:${AWS::AccountId}:stack/"
    return {
        "source": ["aws.cloudformation"],
        "detail-type": ["CloudFormation Stack Status Change"],
        "detail": {
            "stack-id": [{"prefix": Sub(f"{stacks}{prefix}")} for prefix in prefixes],
            "status-details": {"status": list(FAILED)},
        },
    }


def add_bus(template: Template, stage: str) -> None:
    """Add the bus of the monitoring account, who may put events on it, and its rules."""
    name = naming.stack(stage)
    template.add_resource(
        events.EventBus(
            "Bus",
            Metadata=context.why("Takes what the workload account forwards, and nothing else"),
            Name=name,
            Tags=naming.tags(),
        )
    )
    workload = "arn:${AWS::Partition}:iam::${WorkloadAccountId}:root"
    template.add_resource(
        events.EventBusPolicy(
            "BusPolicy",
            Metadata=context.why("Lets the workload account in, with these sources alone"),
            EventBusName=Ref("Bus"),
            StatementId="workload",
            Statement={
                "Effect": "Allow",
                "Principal": {"AWS": Sub(workload)},
                "Action": "events:PutEvents",
                "Resource": GetAtt("Bus", "Arn"),
                "Condition": {
                    **in_organization({"aws:PrincipalAccount": Ref("WorkloadAccountId")}),
                    "ForAllValues:StringEquals": {"events:source": list(SOURCES)},
                    "Null": {"events:source": "false"},
                },
            },
        )
    )
    for rule, source, paths, what in (
        (
            STACKS_RULE,
            "aws.cloudformation",
            {
                "what": "$.detail.status-details.status",
                "where": "$.detail.stack-id",
                "why": "$.detail.status-details.status-reason",
            },
            "stack",
        ),
        (
            HEALTH_RULE,
            "aws.health",
            {
                "what": "$.detail.eventTypeCode",
                "where": "$.detail.service",
                "why": "$.detail.eventTypeCategory",
            },
            "health",
        ),
    ):
        template.add_resource(
            events.Rule(
                rule,
                Metadata=context.why("Tells what the workload account forwarded"),
                Description=f"The workload account forwards an event of {source}",
                EventBusName=Ref("Bus"),
                EventPattern={"account": [Ref("WorkloadAccountId")], "source": [source]},
                Targets=[
                    routing.target(
                        "Topic",
                        Ref("WarningTopic"),
                        hours=24,
                        transformer=events.InputTransformer(
                            InputPathsMap={
                                **paths,
                                "account": "$.account",
                                "region": "$.region",
                                "since": "$.time",
                            },
                            InputTemplate=Sub(
                                '{"summary": "<what> since <since>: <where>", "forwarded": <what>, '
                                '"where": <where>, "reason": <why>, "since": <since>, '
                                '"account": <account>, "region": <region>, '
                                f'"runbook": "${{RunbookUrl}}/forwarded-{what}.md"}}'
                            ),
                        ),
                    )
                ],
                Tags=naming.tags(),
            )
        )
    template.add_output(
        Output(
            "EventBusArn",
            Description="The workload account forwards to it",
            Value=GetAtt("Bus", "Arn"),
        )
    )


def add_forwarding(template: Template, stage: str, stacks: Iterable[str]) -> None:
    """Add the workload account's rules, the role that may put events on the bus, and its queue.

    `stacks` are the names of the stacks whose failures are forwarded.
    """
    stacks = tuple(stacks)
    template.add_resource(
        sqs.Queue(
            "Undelivered",
            Metadata=context.why("Keeps what the bus of the monitoring account did not take")
            | context.unlike_cdk_nag(
                ("AwsSolutions-SQS3", "it is the dead-letter queue of the rules here"),
            )
            | context.unlike_checkov(context.SQS_KEY),
            DeletionPolicy="Delete",
            UpdateReplacePolicy="Delete",
            QueueName=Sub("${AWS::StackName}-undelivered"),
            MessageRetentionPeriod=TWO_WEEKS,
            SqsManagedSseEnabled=True,
            Tags=naming.tags(),
        )
    )
    rules = {
        STACKS_RULE: (
            "An operation on a watched stack fails",
            failed_stack_pattern(f"{stack}/" for stack in stacks),
        ),
        HEALTH_RULE: (
            "AWS reports trouble or a change in this account",
            {"source": ["aws.health"], "detail-type": ["AWS Health Event"]},
        ),
    }
    queue = GetAtt("Undelivered", "Arn")
    template.add_resource(
        sqs.QueuePolicy(
            "UndeliveredPolicy",
            Queues=[Ref("Undelivered")],
            PolicyDocument=policies.document(
                {
                    **policies.allow_service(
                        "Rules", "events.amazonaws.com", "sqs:SendMessage", queue
                    ),
                    "Condition": {
                        "ArnEquals": {"aws:SourceArn": [GetAtt(rule, "Arn") for rule in rules]}
                    },
                },
                policies.deny_without_tls("sqs:*", queue),
            ),
        )
    )
    template.add_resource(
        iam.Role(
            "ForwardingRole",
            Metadata=context.why("Lets EventBridge put events on the monitoring account's bus"),
            RoleName=f"{naming.stack(stage)}-forwarding",
            Description="Assumed by EventBridge, to put events on the monitoring account's bus",
            AssumeRolePolicyDocument=policies.document(
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "events.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                    "Condition": {"StringEquals": {"aws:SourceAccount": Ref("AWS::AccountId")}},
                }
            ),
            Policies=[
                iam.Policy(
                    PolicyName="forward",
                    PolicyDocument=policies.document(
                        {
                            "Sid": "Forward",
                            "Effect": "Allow",
                            "Action": "events:PutEvents",
                            "Resource": Ref("EventBusArn"),
                        }
                    ),
                )
            ],
            Tags=naming.tags(),
        )
    )
    for rule, (description, pattern) in rules.items():
        template.add_resource(
            events.Rule(
                rule,
                Metadata=context.why("Forwards what the monitoring account cannot see from there"),
                Description=description,
                EventPattern=pattern,
                Targets=[
                    events.Target(
                        Id="Bus",
                        Arn=Ref("EventBusArn"),
                        RoleArn=GetAtt("ForwardingRole", "Arn"),
                        RetryPolicy=events.RetryPolicy(
                            MaximumEventAgeInSeconds=24 * 3600, MaximumRetryAttempts=185
                        ),
                        DeadLetterConfig=events.DeadLetterConfig(Arn=queue),
                    )
                ],
                Tags=naming.tags(),
            )
        )
