"""The automated action: its Lambda function here, the role it assumes in the workload account.

The code is `action.py`. It caps the concurrency of an asynchronous function that fails, and gives
it back when the alarm clears. An API is never capped: that would fail the requests that still work.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from troposphere import GetAtt, Output, Ref, Select, Split, Sub, Template, awslambda, iam, logs

from monitoring import action, alarms, context, naming, policies

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from monitoring.inventory import Function, Service

CODE = Path(action.__file__)
LONGEST_CODE = 4096
"""Characters of Lambda code in a template: the limit of `ZipFile`."""


def targets(services: Iterable[Service], stage: str) -> dict[str, Function]:
    """Return the functions that may be capped, by the name of the alarm that caps them."""
    return {
        alarms.error_rate(service, function).name(stage): function
        for service in services
        for function in service.functions
        if function.asynchronous
    }


def _function_arn(function: Function, account: str) -> str:
    return (
        f"arn:${{AWS::Partition}}:lambda:${{AWS::Region}}:${{{account}}}:function:{function.name}"
    )


def add_action(template: Template, stage: str, capped: Mapping[str, Function]) -> None:
    """Add the action's function, its role, its log and where its failures go.

    `capped` are the functions that may be capped, by the name of the alarm that caps them.

    Raises ValueError: the code is longer than CloudFormation takes inline, or nothing can be
    capped.
    """
    if not capped:
        raise ValueError("no service has an asynchronous function that the action could cap")
    code = CODE.read_text()
    if len(code) > LONGEST_CODE:
        raise ValueError(
            f"{CODE.name} has {len(code)} characters, {LONGEST_CODE} are allowed: shorten it"
        )
    name = naming.action(stage)
    workload_role = Sub(f"arn:${{AWS::Partition}}:iam::${{WorkloadAccountId}}:role/{name}")
    here = "${AWS::Region}:${AWS::AccountId}"
    template.add_resource(
        logs.LogGroup(
            "ActionLog",
            DeletionPolicy="Delete",
            UpdateReplacePolicy="Delete",
            LogGroupName=f"/aws/lambda/{name}",
            RetentionInDays=90,
            KmsKeyId=GetAtt("Key", "Arn"),
            Tags=naming.tags(),
        )
    )
    template.add_resource(
        iam.Role(
            "ActionRole",
            Metadata=context.why("Lets the action read its alarms, tell, and assume one role"),
            RoleName=f"{name}-function",
            Description="Runs the automated action of the alarms",
            AssumeRolePolicyDocument=policies.document(
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "lambda.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            ),
            Policies=[
                iam.Policy(
                    PolicyName="action",
                    PolicyDocument=policies.document(
                        {
                            "Sid": "AssumeTheWorkloadRole",
                            "Effect": "Allow",
                            "Action": "sts:AssumeRole",
                            "Resource": workload_role,
                        },
                        {
                            "Sid": "ReadTheAlarm",
                            "Effect": "Allow",
                            "Action": "cloudwatch:DescribeAlarms",
                            # CloudWatch checks a search for alarms against all of them.
                            "Resource": Sub(f"arn:${{AWS::Partition}}:cloudwatch:{here}:alarm:*"),
                        },
                        {
                            "Sid": "TellWhatWasDone",
                            "Effect": "Allow",
                            "Action": "sns:Publish",
                            "Resource": Ref("Topic"),
                        },
                        {
                            "Sid": "TellEncrypted",
                            "Effect": "Allow",
                            "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
                            "Resource": GetAtt("Key", "Arn"),
                        },
                        {
                            "Sid": "KeepFailures",
                            "Effect": "Allow",
                            "Action": "sqs:SendMessage",
                            "Resource": GetAtt("DeadLetters", "Arn"),
                        },
                        {
                            "Sid": "Log",
                            "Effect": "Allow",
                            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                            "Resource": Sub(
                                f"arn:${{AWS::Partition}}:logs:{here}:log-group:/aws/lambda/{name}:*"
                            ),
                        },
                    ),
                )
            ],
            Tags=naming.tags(),
        )
    )
    template.add_resource(
        awslambda.Function(
            "ActionFunction",
            Metadata=context.why("Caps a failing function, and gives it back when it is well"),
            # With its log group there first, Lambda makes none without encryption and retention.
            DependsOn="ActionLog",
            FunctionName=name,
            Description="Caps an asynchronous function while its error-rate alarm is in ALARM",
            Runtime="python3.11",
            Handler="index.handler",
            Code=awslambda.Code(ZipFile=code),
            MemorySize=256,
            Timeout=30,
            Role=GetAtt("ActionRole", "Arn"),
            Environment=awslambda.Environment(
                Variables={
                    "CONCURRENCY_CAP": Ref("ConcurrencyCap"),
                    "DRY_RUN": Ref("DryRun"),
                    "EXTERNAL_ID": _external_id(),
                    "FUNCTIONS": Sub(
                        json.dumps(
                            {
                                alarm: _function_arn(function, "WorkloadAccountId")
                                for alarm, function in capped.items()
                            }
                        )
                    ),
                    "ROLE_ARN": workload_role,
                    "TOPIC_ARN": Ref("Topic"),
                }
            ),
            Tags=naming.tags(),
        )
    )
    template.add_resource(
        awslambda.EventInvokeConfig(
            "ActionInvokeConfig",
            Metadata=context.why("An action that fails is kept, with its event"),
            FunctionName=Ref("ActionFunction"),
            Qualifier="$LATEST",
            MaximumRetryAttempts=2,
            MaximumEventAgeInSeconds=3600,
            DestinationConfig=awslambda.DestinationConfig(
                OnFailure=awslambda.OnFailure(Destination=GetAtt("DeadLetters", "Arn"))
            ),
        )
    )
    template.add_output(
        Output(
            "ActionRoleArn",
            Description="The workload account's role trusts it alone",
            Value=GetAtt("ActionRole", "Arn"),
        )
    )
    template.add_output(
        Output(
            "ActionFunctionName",
            Description="The automated action",
            Value=Ref("ActionFunction"),
        )
    )
    template.add_output(
        Output(
            "ExternalId",
            Description="The workload account's role asks for it",
            Value=_external_id(),
        )
    )


def _external_id() -> Select:
    # The stack's own id: another stack that reuses the role's name does not know it.
    return Select(2, Split("/", Ref("AWS::StackId")))


def add_workload_role(template: Template, stage: str, capped: Iterable[Function]) -> None:
    """Add the role that the action assumes: concurrency and one tag, of exactly these functions."""
    arns = [Sub(_function_arn(function, "AWS::AccountId")) for function in capped]
    template.add_resource(
        iam.Role(
            "ActionRole",
            Metadata=context.why("What the monitoring account may change here, and no more"),
            RoleName=naming.action(stage),
            Description="Assumed by the monitoring account's automated action",
            MaxSessionDuration=3600,
            AssumeRolePolicyDocument=policies.document(
                {
                    "Effect": "Allow",
                    "Principal": {"AWS": Ref("ActionRoleArn")},
                    "Action": "sts:AssumeRole",
                    "Condition": {"StringEquals": {"sts:ExternalId": Ref("ExternalId")}},
                }
            ),
            Policies=[
                iam.Policy(
                    PolicyName="action",
                    PolicyDocument=policies.document(
                        {
                            "Sid": "CapConcurrency",
                            "Effect": "Allow",
                            "Action": [
                                "lambda:DeleteFunctionConcurrency",
                                "lambda:GetFunctionConcurrency",
                                "lambda:ListTags",
                                "lambda:PutFunctionConcurrency",
                            ],
                            "Resource": arns,
                        },
                        {
                            "Sid": "RememberWhatItWas",
                            "Effect": "Allow",
                            "Action": ["lambda:TagResource", "lambda:UntagResource"],
                            "Resource": arns,
                            "Condition": {
                                "ForAllValues:StringEquals": {"aws:TagKeys": [action.TAG]},
                                "Null": {"aws:TagKeys": "false"},
                            },
                        },
                    ),
                )
            ],
            Tags=naming.tags(),
        )
    )
