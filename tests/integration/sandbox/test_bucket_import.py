from __future__ import annotations

import pytest
from botocore.exceptions import WaiterError
from troposphere import Template, s3

WAIT = {"Delay": 0.1, "MaxAttempts": 100}


def test_a_change_set_takes_over_a_bucket_that_is_there(aws, unique):
    bucket, stack = f"kept-{unique}", f"import-{unique}"
    aws.client("s3").create_bucket(Bucket=bucket)
    aws.client("s3").put_object(Bucket=bucket, Key="kept", Body=b"data")
    template = Template()
    template.add_resource(s3.Bucket("Bucket", BucketName=bucket, DeletionPolicy="Retain"))
    client = aws.client("cloudformation")
    client.create_change_set(
        StackName=stack,
        ChangeSetName="create",
        ChangeSetType="CREATE",
        ImportExistingResources=True,
        TemplateBody=template.to_json(),
    )
    client.get_waiter("change_set_create_complete").wait(
        StackName=stack, ChangeSetName="create", WaiterConfig=WAIT
    )
    (change,) = client.describe_change_set(StackName=stack, ChangeSetName="create")["Changes"]
    assert change["ResourceChange"]["Action"] == "Import"
    client.execute_change_set(StackName=stack, ChangeSetName="create")
    client.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig=WAIT)
    assert aws.client("s3").get_object(Bucket=bucket, Key="kept")["Body"].read() == b"data"


def test_without_the_option_the_taken_name_is_refused(aws, unique):
    bucket, stack = f"taken-{unique}", f"refused-{unique}"
    aws.client("s3").create_bucket(Bucket=bucket)
    template = Template()
    template.add_resource(s3.Bucket("Bucket", BucketName=bucket))
    client = aws.client("cloudformation")
    client.create_stack(StackName=stack, TemplateBody=template.to_json())
    with pytest.raises(WaiterError, match="ROLLBACK_COMPLETE"):
        client.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig=WAIT)
