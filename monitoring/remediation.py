"""The automated actions: their function, queue and table here, the role in the workload account.

Rules put a message on the queue, the function takes it from there: a storm of alarms waits, and
what is throttled is tried again. The code is the package `actions`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from troposphere import (
    GetAtt,
    Output,
    Parameter,
    Ref,
    Select,
    Split,
    Sub,
    Template,
    awslambda,
    dynamodb,
    iam,
    logs,
    sqs,
)

from monitoring import context, naming, package, policies
from monitoring.notifications import TWO_WEEKS, topic
from monitoring.organization import in_organization

if TYPE_CHECKING:
    from collections.abc import Iterable

    from monitoring.inventory import Function, Queue, Service

TIMEOUT = 60
"""Seconds of one run: a batch of a redrive is the longest."""

TRIES = 5
"""How often a message is tried before it is a dead letter."""

DEFAULT_BUDGETS = {"Cap": 10, "Incident": 50, "Redrive": 10}


def asynchronous(services: Iterable[Service]) -> list[Function]:
    """Return the functions that may be capped."""
    return [
        function
        for service in services
        if service.account == "workload"
        for function in service.functions
        if function.asynchronous
    ]


def failure_queues(services: Iterable[Service]) -> list[tuple[Function, Queue]]:
    """Return the functions whose failed events may be sent again, with the queue that has them."""
    return [
        (function, queue)
        for service in services
        if service.account == "workload"
        for function in service.functions
        if function.asynchronous and (queue := service.failures_of(function)) is not None
    ]


def parameters() -> Iterable[Parameter]:
    """Yield the parameters of the actions."""
    yield Parameter(
        "ArtifactBucket",
        Type="String",
        AllowedPattern=r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
        Description="Has the actions' code; `python -m deploy` sets it",
    )
    yield Parameter(
        "DryRun",
        Type="String",
        Default="true",
        AllowedValues=["true", "false"],
        Description="The actions tell what they would do, and do nothing",
    )
    for name, default, lowest, highest, description in (
        ("ConcurrencyCap", 1, 0, 100, "Executions left to a function that fails; 0 pauses it"),
        ("RedriveBatch", 20, 1, 1000, "Failed events sent again before looking whether they fail"),
        ("CoolDownSeconds", 1800, 0, 86_400, "Rest of an action on its target after it has ended"),
        ("PatienceSeconds", 600, 1, 900, "Until an action is looked at: did it help?"),
        *(
            (f"{action}Budget", budget, 0, 1000, f"How often a day the action {action} may begin")
            for action, budget in DEFAULT_BUDGETS.items()
        ),
    ):
        yield Parameter(
            name,
            Type="Number",
            Default=default,
            MinValue=lowest,
            MaxValue=highest,
            Description=description,
        )


def add_actions(template: Template, stage: str, rules: Iterable[str]) -> None:
    """Add the queue, the table, the function, its role and its log.

    `rules` are the logical ids of the rules that put messages on the queue.
    """
    _add_queue(template, rules)
    _add_table(template)
    _add_role(template, stage)
    _add_function(template, stage)
    for name, description, value in (
        (
            "ActionRoleArn",
            "The workload account's role trusts it alone",
            GetAtt("ActionRole", "Arn"),
        ),
        ("ActionFunctionName", "The automated actions", Ref("ActionFunction")),
        ("ActionsQueueUrl", "What is to be done", Ref("Actions")),
        ("ActionsTableName", "What was done, budgets and incident notes", Ref("ActionsTable")),
        ("ExternalId", "The workload account's role asks for it", _external_id()),
    ):
        template.add_output(Output(name, Description=description, Value=value))


def _add_queue(template: Template, rules: Iterable[str]) -> None:
    queue = GetAtt("Actions", "Arn")
    template.add_resource(
        sqs.Queue(
            "Actions",
            Metadata=context.why("Holds what is to be done while the function is busy")
            | context.unlike_checkov(context.SQS_KEY),
            DeletionPolicy="Delete",
            UpdateReplacePolicy="Delete",
            QueueName=Sub("${AWS::StackName}-actions"),
            MessageRetentionPeriod=TWO_WEEKS,
            SqsManagedSseEnabled=True,
            # Six times the function's time-out, as "Configuring scaling behavior for SQS event
            # source mappings" in the AWS Lambda developer guide advises.
            VisibilityTimeout=6 * TIMEOUT,
            RedrivePolicy=sqs.RedrivePolicy(
                deadLetterTargetArn=GetAtt("DeadLetters", "Arn"), maxReceiveCount=TRIES
            ),
            Tags=naming.tags(),
        )
    )
    template.add_resource(
        sqs.QueuePolicy(
            "ActionsPolicy",
            Queues=[Ref("Actions")],
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


def _add_table(template: Template) -> None:
    template.add_resource(
        dynamodb.Table(
            "ActionsTable",
            Metadata=context.why("Remembers what was done, and keeps the budgets"),
            DeletionPolicy="Retain",
            UpdateReplacePolicy="Retain",
            TableName=Sub("${AWS::StackName}-actions"),
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                dynamodb.AttributeDefinition(AttributeName="id", AttributeType="S")
            ],
            KeySchema=[dynamodb.KeySchema(AttributeName="id", KeyType="HASH")],
            PointInTimeRecoverySpecification=dynamodb.PointInTimeRecoverySpecification(
                PointInTimeRecoveryEnabled=True
            ),
            SSESpecification=dynamodb.SSESpecification(
                KMSMasterKeyId=GetAtt("Key", "Arn"), SSEEnabled=True, SSEType="KMS"
            ),
            TimeToLiveSpecification=dynamodb.TimeToLiveSpecification(
                AttributeName="expires", Enabled=True
            ),
            Tags=naming.tags(),
        )
    )


def _add_role(template: Template, stage: str) -> None:
    name = naming.action(stage)
    here = "${AWS::Region}:${AWS::AccountId}"
    log = f"arn:${{AWS::Partition}}:logs:{here}:log-group:/aws/lambda/{name}:*"
    template.add_resource(
        iam.Role(
            "ActionRole",
            Metadata=context.why("Lets the actions read alarms, remember, tell, assume one role")
            | context.unlike_cdk_nag(
                (
                    "AwsSolutions-IAM5[Resource::*]",
                    (
                        "CloudWatch allows a search for composite alarms on all alarms alone "
                        "(API reference, DescribeAlarms)"
                    ),
                ),
                (
                    (
                        "AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:logs:<AWS::Region>:"
                        f"<AWS::AccountId>:log-group:/aws/lambda/{name}:*]"
                    ),
                    "the log streams of one log group; their names are Lambda's",
                ),
            )
            | context.unlike_parliament(
                (
                    "RESOURCE_STAR",
                    "CloudWatch searches for composite alarms among all or not at all",
                ),
            ),
            RoleName=f"{name}-function",
            Description="Runs the automated actions of the alarms",
            AssumeRolePolicyDocument=policies.document(
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "lambda.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                    "Condition": {"StringEquals": {"aws:SourceAccount": Ref("AWS::AccountId")}},
                }
            ),
            Policies=[
                iam.Policy(
                    PolicyName="action",
                    PolicyDocument=policies.document(
                        policies.allow(
                            "AssumeTheWorkloadRole",
                            ["sts:AssumeRole"],
                            _workload_role(stage),
                        ),
                        policies.allow("ReadTheAlarm", ["cloudwatch:DescribeAlarms"], "*"),
                        policies.allow(
                            "Remember",
                            ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"],
                            GetAtt("ActionsTable", "Arn"),
                        ),
                        policies.allow(
                            "TakeMessages",
                            [
                                "sqs:DeleteMessage",
                                "sqs:GetQueueAttributes",
                                "sqs:ReceiveMessage",
                            ],
                            GetAtt("Actions", "Arn"),
                        ),
                        policies.allow("LookAgain", ["sqs:SendMessage"], GetAtt("Actions", "Arn")),
                        policies.allow("TellWhatWasDone", ["sns:Publish"], Ref(topic("warning"))),
                        *_uses_of_the_key(name),
                        policies.allow(
                            "Log", ["logs:CreateLogStream", "logs:PutLogEvents"], Sub(log)
                        ),
                    ),
                )
            ],
            Tags=naming.tags(),
        )
    )


def _uses_of_the_key(function: str) -> list[policies.Statement]:
    """Return the statements that allow the key for the table, the topic and the environment alone.

    Each service says in the encryption context what it uses the key for: "DynamoDB encryption
    context" in the Amazon DynamoDB developer guide, "Key management" in the Amazon SNS developer
    guide, "Securing Lambda environment variables" in the AWS Lambda developer guide.
    """
    arn = f"arn:${{AWS::Partition}}:lambda:${{AWS::Region}}:${{AWS::AccountId}}:function:{function}"
    return [
        {
            **policies.allow(sid, actions, GetAtt("Key", "Arn")),
            "Condition": {"StringEquals": {f"kms:EncryptionContext:{key}": value}},
        }
        for sid, actions, key, value in (
            ("DecryptTheTable", ["kms:Decrypt"], "aws:dynamodb:tableName", Ref("ActionsTable")),
            (
                "EncryptForTheTopic",
                ["kms:Decrypt", "kms:GenerateDataKey"],
                "aws:sns:topicArn",
                Ref(topic("warning")),
            ),
            ("DecryptTheEnvironment", ["kms:Decrypt"], "aws:lambda:FunctionArn", Sub(arn)),
        )
    ]


def _add_function(template: Template, stage: str) -> None:
    name = naming.action(stage)
    template.add_resource(
        logs.LogGroup(
            "ActionLog",
            Metadata=context.why("Every record of every action"),
            DeletionPolicy="Delete",
            UpdateReplacePolicy="Delete",
            LogGroupName=f"/aws/lambda/{name}",
            RetentionInDays=365,
            KmsKeyId=GetAtt("Key", "Arn"),
            Tags=naming.tags(),
        )
    )
    variables: dict[str, Any] = {
        "DRY_RUN": Ref("DryRun"),
        "EXTERNAL_ID": _external_id(),
        "QUEUE_URL": Ref("Actions"),
        "ROLE_ARN": _workload_role(stage),
        "TABLE": Ref("ActionsTable"),
        "TOPIC_ARN": Ref(topic("warning")),
    }
    for parameter in (
        "ConcurrencyCap",
        "RedriveBatch",
        "CoolDownSeconds",
        "PatienceSeconds",
        *(f"{action}Budget" for action in DEFAULT_BUDGETS),
    ):
        variable = "".join(f"_{c}" if c.isupper() else c for c in parameter).lstrip("_").upper()
        variables[variable] = Ref(parameter)
    template.add_resource(
        awslambda.Function(
            "ActionFunction",
            Metadata=context.why("Caps, redrives, notes: what is done without waiting for people")
            | context.unlike_cdk_nag(
                ("AwsSolutions-L1", "the same Python as the apps' functions, which Chalice sets"),
            )
            | context.unlike_checkov(
                ("CKV_AWS_115", "its event source mapping limits it to two at a time"),
                ("CKV_AWS_116", "it is invoked by a queue, which has the dead-letter queue"),
                (
                    "CKV_AWS_117",
                    "it calls AWS's APIs alone: a VPC would add endpoints to reach them",
                ),
            ),
            # With its log group there first, Lambda makes none without encryption and retention.
            DependsOn="ActionLog",
            FunctionName=name,
            Description="The automated actions of the alarms",
            Runtime="python3.11",
            Handler=package.HANDLER,
            Code=awslambda.Code(S3Bucket=Ref("ArtifactBucket"), S3Key=package.key()),
            MemorySize=256,
            Timeout=TIMEOUT,
            Role=GetAtt("ActionRole", "Arn"),
            KmsKeyArn=GetAtt("Key", "Arn"),
            Environment=awslambda.Environment(Variables=dict(sorted(variables.items()))),
            TracingConfig=awslambda.TracingConfig(Mode="PassThrough"),
            Tags=naming.tags(),
        )
    )
    mapping = awslambda.EventSourceMapping(
        "ActionsMapping",
        Metadata=context.why("Hands the queue's messages to the function, few at a time"),
        FunctionName=Ref("ActionFunction"),
        EventSourceArn=GetAtt("Actions", "Arn"),
        BatchSize=5,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        Tags=naming.tags(),
    )
    # troposphere knows another ScalingConfig under this name. Two is the lowest there is: nothing
    # here is in a hurry.
    mapping.properties["ScalingConfig"] = {"MaximumConcurrency": 2}
    template.add_resource(mapping)


def _workload_role(stage: str) -> Sub:
    return Sub(f"arn:${{AWS::Partition}}:iam::${{WorkloadAccountId}}:role/{naming.action(stage)}")


def _external_id() -> Select:
    # The stack's own id: another stack that reuses the role's name does not know it.
    return Select(2, Split("/", Ref("AWS::StackId")))


def add_workload_role(template: Template, stage: str, services: Iterable[Service]) -> None:
    """Add the role that the actions assume: what they call, on exactly what they are for.

    It trusts the role of the actions' function alone, of that account, with the external id, and
    in the organisation where one is named.
    """
    services = tuple(services)
    functions = [_function_arn(function) for function in asynchronous(services)]
    redriven = failure_queues(services)
    statements = [
        policies.allow(
            "CapConcurrency",
            [
                "lambda:DeleteFunctionConcurrency",
                "lambda:GetFunctionConcurrency",
                "lambda:PutFunctionConcurrency",
            ],
            functions,
        )
    ]
    if redriven:
        statements.append(
            policies.allow(
                "TakeFailedEvents",
                ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"],
                [_queue_arn(queue) for _, queue in redriven],
            )
        )
        statements.append(
            policies.allow(
                "SendThemAgain",
                ["lambda:InvokeFunction"],
                [_function_arn(function) for function, _ in redriven],
            )
        )
    template.add_resource(
        iam.Role(
            "ActionRole",
            Metadata=context.why("What the monitoring account may change here, and no more"),
            RoleName=naming.action(stage),
            Description="Assumed by the monitoring account's automated actions",
            MaxSessionDuration=3600,
            AssumeRolePolicyDocument=policies.document(
                {
                    "Effect": "Allow",
                    "Principal": {"AWS": Ref("ActionRoleArn")},
                    "Action": "sts:AssumeRole",
                    "Condition": in_organization(
                        {
                            "sts:ExternalId": Ref("ExternalId"),
                            "aws:PrincipalAccount": Select(4, Split(":", Ref("ActionRoleArn"))),
                        }
                    ),
                }
            ),
            Policies=[
                iam.Policy(PolicyName="action", PolicyDocument=policies.document(*statements))
            ],
            Tags=naming.tags(),
        )
    )


def _function_arn(function: Function) -> Sub:
    return Sub(
        "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:" + function.name
    )


def _queue_arn(queue: Queue) -> Sub:
    return Sub("arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:" + queue.name)
