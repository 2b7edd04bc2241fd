"""What a deployment does about a role or a policy file that somebody changed by hand."""

from __future__ import annotations

import json

import pytest

from deploy.errors import DeployError, SettingsError
from deploy.roles import confine, refuse_drift

STATEMENT = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}
WANTED = {"Version": "2012-10-17", "Statement": [STATEMENT]}
OTHER = {"Version": "2012-10-17", "Statement": [{**STATEMENT, "Action": "s3:PutObject"}]}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "",
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


@pytest.fixture
def iam(aws):
    return aws.client("iam")


@pytest.fixture
def role(iam, unique):
    """A role as Chalice makes it for the function `process` of the app at dev."""
    name = f"{unique}-dev-process"
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.put_role_policy(RoleName=name, PolicyName=name, PolicyDocument=json.dumps(WANTED))
    return name


@pytest.fixture
def project(tmp_path, role):
    """A project whose policy file is as it was deployed, and Chalice's note of the role."""
    folder = tmp_path / ".chalice"
    (folder / "deployed").mkdir(parents=True)
    (folder / "policy-dev-process.json").write_text(json.dumps(WANTED))
    resources = [
        {"name": "process_role", "resource_type": "iam_role", "role_name": role},
        {"name": "process", "resource_type": "lambda_function", "lambda_arn": "arn"},
    ]
    (folder / "deployed" / "dev.json").write_text(json.dumps({"resources": resources}))
    return tmp_path


def check(iam, project, role, wanted=WANTED):
    refuse_drift(iam, project, role.removesuffix("-dev-process"), "dev", {"process": wanted})


def test_what_is_as_it_was_deployed_may_change_with_its_template(iam, project, role):
    check(iam, project, role)
    check(iam, project, role, OTHER)


def test_a_role_that_is_not_there_has_no_drift(iam, tmp_path, unique):
    refuse_drift(iam, tmp_path, unique, "dev", {"process": WANTED})


def test_a_policy_put_on_the_role_by_hand_stops_the_deployment(iam, project, role):
    iam.put_role_policy(RoleName=role, PolicyName="quick", PolicyDocument=json.dumps(OTHER))
    with pytest.raises(DeployError, match=f"the role {role} has the policy quick, which no file"):
        check(iam, project, role)
    iam.delete_role_policy(RoleName=role, PolicyName="quick")
    iam.attach_role_policy(RoleName=role, PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    with pytest.raises(DeployError, match="has the policy ReadOnlyAccess, which no file"):
        check(iam, project, role)


def test_a_policy_file_changed_by_hand_stops_the_deployment(iam, project, role):
    file = project / ".chalice" / "policy-dev-process.json"
    file.write_text(json.dumps(OTHER))
    with pytest.raises(SettingsError, match="was changed by hand: it is made from"):
        check(iam, project, role)
    file.write_text("{")
    with pytest.raises(SettingsError, match="is not JSON"):
        check(iam, project, role)
    file.unlink()
    check(iam, project, role)


def test_lambda_takes_a_role_on_for_this_account_alone(iam, project, role):
    assert confine(iam, project, "dev", "111111111111") == [role]
    [statement] = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": "111111111111"}}
    assert statement["Principal"] == TRUST["Statement"][0]["Principal"]
    assert confine(iam, project, "dev", "111111111111") == []
