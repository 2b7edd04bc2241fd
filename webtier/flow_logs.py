"""A record of every connection in the VPC, accepted or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from troposphere import GetAtt, Ref, Sub, ec2, iam, logs

from . import policies
from .exemptions import OWN_POLICY, exempt

if TYPE_CHECKING:
    from troposphere import AWSObject, kms


def build(vpc: ec2.VPC, key: kms.Key, retention_days: int) -> tuple[AWSObject, ...]:
    """The flow log, its encrypted log group and the role that writes to it.

    Amazon VPC User Guide, "IAM role for publishing flow logs to CloudWatch Logs".
    """
    group = logs.LogGroup(
        "FlowLogGroup",
        RetentionInDays=retention_days,
        KmsKeyId=GetAtt(key, "Arn"),
        DeletionPolicy="Retain",
        UpdateReplacePolicy="Retain",
    )
    role = iam.Role(
        "FlowLogRole",
        AssumeRolePolicyDocument=policies.trust(
            "vpc-flow-logs.amazonaws.com",
            {
                **policies.THIS_ACCOUNT,
                "ArnLike": {
                    "aws:SourceArn": Sub(
                        "arn:${AWS::Partition}:ec2:${AWS::Region}:${AWS::AccountId}:vpc-flow-log/*"
                    )
                },
            },
        ),
        Policies=[
            iam.Policy(
                PolicyName="write-flow-logs",
                PolicyDocument=policies.document(
                    {
                        "Effect": "Allow",
                        "Action": [
                            "logs:CreateLogStream",
                            "logs:DescribeLogStreams",
                            "logs:PutLogEvents",
                        ],
                        "Resource": GetAtt(group, "Arn"),
                    }
                ),
            )
        ],
        Metadata=exempt(OWN_POLICY),
    )
    flow_log = ec2.FlowLog(
        "FlowLog",
        ResourceId=Ref(vpc),
        ResourceType="VPC",
        TrafficType="ALL",
        LogDestinationType="cloud-watch-logs",
        LogGroupName=Ref(group),
        DeliverLogsPermissionArn=GetAtt(role, "Arn"),
        MaxAggregationInterval=60,
    )
    return group, role, flow_log
