from __future__ import annotations

import json

import boto3
import pytest
from botocore.exceptions import ClientError
from troposphere import GetAtt, Output, Ref, Template, awslambda, dynamodb, iam, kms, sns

from tests.integration.sandbox.conftest import ASSUMED_BY_LAMBDA


@pytest.fixture
def encrypted(aws, unique, deploy_stack):
    """A topic, a table and a function of a stack, all with its key; and who may use them."""
    template = Template()
    template.add_resource(
        kms.Key(
            "Key",
            KeyPolicy={
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"AWS": "arn:aws:iam::111111111111:root"},
                        "Action": "kms:*",
                        "Resource": "*",
                    }
                ],
            },
        )
    )
    template.add_resource(sns.Topic("Topic", KmsMasterKeyId=Ref("Key")))
    template.add_resource(
        dynamodb.Table(
            "Table",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                dynamodb.AttributeDefinition(AttributeName="id", AttributeType="S")
            ],
            KeySchema=[dynamodb.KeySchema(AttributeName="id", KeyType="HASH")],
            SSESpecification=dynamodb.SSESpecification(
                SSEEnabled=True, SSEType="KMS", KMSMasterKeyId=GetAtt("Key", "Arn")
            ),
        )
    )
    template.add_resource(iam.Role("Role", AssumeRolePolicyDocument=ASSUMED_BY_LAMBDA))
    template.add_resource(
        awslambda.Function(
            "Function",
            Runtime="python3.11",
            Handler="index.handler",
            Role=GetAtt("Role", "Arn"),
            Code=awslambda.Code(ZipFile="def handler(event, context): return 'ran'"),
            KmsKeyArn=GetAtt("Key", "Arn"),
            Environment=awslambda.Environment(Variables={"SECRET": "x"}),
        )
    )
    for name in ("Topic", "Table", "Function", "Role"):
        template.add_output(Output(name, Value=Ref(name)))
    template.add_output(Output("Key", Value=GetAtt("Key", "Arn")))
    return deploy_stack(f"encrypted-{unique}", template)


@pytest.fixture
def assume(aws, unique):
    """Gives a client with the rights of the statements."""
    iam_client, count = aws.client("iam"), 0

    def client(service, *statements):
        nonlocal count
        count += 1
        name = f"uses-{unique}-{count}"
        trust = {
            "Effect": "Allow",
            "Principal": {"AWS": "111111111111"},
            "Action": "sts:AssumeRole",
        }
        role = iam_client.create_role(
            RoleName=name,
            AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
        )["Role"]
        put_policy(aws, name, *statements)
        session = aws.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="test")
        return boto3.client(
            service,
            aws_access_key_id=session["Credentials"]["AccessKeyId"],
            aws_secret_access_key=session["Credentials"]["SecretAccessKey"],
            aws_session_token=session["Credentials"]["SessionToken"],
        )

    return client


def put_policy(aws, role, *statements):
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", **statement} for statement in statements],
    }
    aws.client("iam").put_role_policy(
        RoleName=role, PolicyName="own", PolicyDocument=json.dumps(document)
    )


def use_of_the_key(outputs, context, value, *actions):
    return {
        "Action": list(actions),
        "Resource": outputs["Key"],
        "Condition": {"StringEquals": {f"kms:EncryptionContext:{context}": value}},
    }


def test_who_publishes_to_an_encrypted_topic_needs_its_key_for_this_topic(encrypted, assume):
    topic, context = encrypted["Topic"], "aws:sns:topicArn"
    publish = {"Action": "sns:Publish", "Resource": topic}
    both = ("kms:Decrypt", "kms:GenerateDataKey")
    assume("sns", publish, use_of_the_key(encrypted, context, topic, *both)).publish(
        TopicArn=topic, Message="m"
    )
    for lacking in (
        (),
        (use_of_the_key(encrypted, context, topic, "kms:Decrypt"),),
        (use_of_the_key(encrypted, context, f"{topic}-other", *both),),
    ):
        with pytest.raises(ClientError, match="not authorized to perform"):
            assume("sns", publish, *lacking).publish(TopicArn=topic, Message="m")


def test_who_reads_an_encrypted_table_needs_its_key_for_this_table(encrypted, assume):
    table, context = encrypted["Table"], "aws:dynamodb:tableName"
    read = {
        "Action": "dynamodb:GetItem",
        "Resource": f"arn:aws:dynamodb:us-east-1:111111111111:table/{table}",
    }
    query = {"TableName": table, "Key": {"id": {"S": "1"}}}
    assume("dynamodb", read, use_of_the_key(encrypted, context, table, "kms:Decrypt")).get_item(
        **query
    )
    for other in ((), (use_of_the_key(encrypted, context, "another", "kms:Decrypt"),)):
        with pytest.raises(ClientError, match="AccessDenied"):
            assume("dynamodb", read, *other).get_item(**query)


def test_a_function_starts_where_its_role_may_decrypt_its_environment(aws, encrypted):
    client, name = aws.client("lambda"), encrypted["Function"]
    refused = client.invoke(FunctionName=name)
    assert refused["FunctionError"]
    assert "KMS access was denied" in json.loads(refused["Payload"].read())["errorMessage"]
    arn = client.get_function_configuration(FunctionName=name)["FunctionArn"]
    put_policy(
        aws,
        encrypted["Role"],
        use_of_the_key(encrypted, "aws:lambda:FunctionArn", arn, "kms:Decrypt"),
    )
    assert json.loads(client.invoke(FunctionName=name)["Payload"].read()) == "ran"
