"""Templates as plain values: what CloudFormation would put in place of its functions."""

from __future__ import annotations

import re
from typing import Any

PSEUDO_PARAMETERS = {
    "AWS::AccountId": "111111111111",
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::StackId": "arn:aws:cloudformation:us-east-1:111111111111:stack/webtier-prod/"
    "0a1b2c3d-0000-4000-8000-000000000000",
    "AWS::StackName": "webtier-prod",
}
PARAMETERS = {"ArtifactBucket": "artifacts", "ArtifactKey": "0123.tar.gz"}
ARNS = {
    "AWS::KMS::Key": "arn:aws:kms:us-east-1:111111111111:key/0a1b2c3d-0000-4000-8000-000000000000",
    "AWS::Logs::LogGroup": "arn:aws:logs:us-east-1:111111111111:log-group:example:*",
    "AWS::S3::Bucket": "arn:aws:s3:::example-bucket",
    "AWS::SNS::Topic": "arn:aws:sns:us-east-1:111111111111:example",
}
ATTRIBUTES = {
    "DbiResourceId": "db-ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "MasterUserSecret.SecretArn": "arn:aws:secretsmanager:us-east-1:111111111111:secret:rds!db-0-a",
}


def resolved(value: Any, resources: dict[str, Any]) -> Any:
    """The value with `Ref`, `Fn::GetAtt` and `Fn::Sub` replaced; anything else is an error."""

    def name(reference: str) -> str:
        if reference in PSEUDO_PARAMETERS | PARAMETERS:
            return (PSEUDO_PARAMETERS | PARAMETERS)[reference]
        title, _, attribute = reference.partition(".")
        if attribute in ATTRIBUTES:
            return ATTRIBUTES[attribute]
        return ARNS[resources[title]["Type"]]

    match value:
        case {"Ref": reference}:
            return name(reference)
        case {"Fn::GetAtt": [title, attribute]}:
            return name(f"{title}.{attribute}")
        case {"Fn::Sub": text}:
            return re.sub(r"\$\{([^!}]+)\}", lambda match: name(match[1]), text)
        case dict():
            assert not any(key.startswith("Fn::") for key in value), value
            return {key: resolved(item, resources) for key, item in value.items()}
        case list():
            return [resolved(item, resources) for item in value]
        case _:
            return value
