"""The script of an instance's first boot, as the template has it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from webtier import compute, load_balancer, user_data

# Amazon EC2 User Guide, "Instance user data": 16 KB before it is encoded.
LIMIT = 16 * 1024
VALUES = {
    "ArtifactBucket": "artifacts",
    "ArtifactKey": "key.tar.gz",
    "ArtifactSha256": "0" * 64,
    "AWS::Region": "us-east-1",
    "AWS::StackName": "webtier-prod",
}


@pytest.fixture
def script(resources: dict[str, Any]) -> str:
    """The script as an instance of the stack gets it."""
    data = resources["ApplicationTemplate"]["Properties"]["LaunchTemplateData"]["UserData"]
    text, variables = data["Fn::Base64"]["Fn::Sub"]

    def value(match: re.Match[str]) -> str:
        match variables[match[1]]:
            case {"Ref": name}:
                return VALUES.get(name, name)
            case {"Fn::Sub": text}:
                return re.sub(r"\$\{([^}]+)\}", lambda name: VALUES[name[1]], text)
            case {"Fn::GetAtt": [_, attribute]}:
                return attribute
            case literal:
                return literal

    return re.sub(r"\$\{([^!}]+)\}", value, text).replace("${!", "${")


def test_the_settings_are_filled_in_and_nothing_else(script: str) -> None:
    settings, installation = script.split("\n\n", 1)
    assert settings.splitlines() == [
        "#!/bin/bash",
        "RESOURCE='Group'",
        "STACK='webtier-prod'",
        "REGION='us-east-1'",
        "GROUP='webtier-prod-application'",
        "HOOK='application-answers'",
        "TARGET_GROUP='TargetGroup'",
        "BUCKET='artifacts'",
        "KEY='key.tar.gz'",
        f"SHA256='{'0' * 64}'",
        "PORT='8443'",
        "HEALTH_PATH='/health'",
        "PGHOST='Endpoint.Address'",
        "PGPORT='Endpoint.Port'",
        "PGDATABASE='webtier'",
        "DATABASE_SECRET_ARN='MasterUserSecret.SecretArn'",
    ]
    assert installation == user_data.installation()


def test_it_is_small_enough_for_user_data(script: str) -> None:
    assert len(script.encode()) < LIMIT


def test_shellcheck_finds_nothing(script: str, tmp_path: Path) -> None:
    file = tmp_path / "user-data.sh"
    file.write_text(script)
    shellcheck = Path(sys.executable).with_name("shellcheck")
    application = user_data.INSTANCE.with_name("application")
    done = subprocess.run(
        [shellcheck, file, application / "install", application / "start"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_a_unit_that_would_end_early_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "webtier.service").write_text("[Unit]\nEND-OF-FILE\n[Service]\n")
    monkeypatch.setattr(user_data, "INSTANCE", tmp_path)
    with pytest.raises(ValueError, match=r"webtier\.service contains the line END-OF-FILE"):
        user_data.installation()


def test_the_load_balancer_asks_for_the_same_port_and_path(
    resources: dict[str, Any], script: str
) -> None:
    group = resources["TargetGroup"]["Properties"]
    assert f"PORT='{group['Port']}'\n" in script
    assert f"HEALTH_PATH='{group['HealthCheckPath']}'\n" in script
    assert (compute.PORT, load_balancer.HEALTH_PATH) == (8443, "/health")


def test_the_service_is_no_root_and_sees_little() -> None:
    unit = (user_data.INSTANCE / "webtier.service").read_text()
    for line in (
        "DynamicUser=yes",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "CapabilityBoundingSet=",
    ):
        assert f"\n{line}\n" in unit
    # gunicorn gives requests 25 seconds; the service may take longer, an instance's end does not.
    assert "\nTimeoutStopSec=40\n" in unit


def test_the_script_signals_the_resource_that_waits(resources: dict[str, Any], script: str) -> None:
    assert f"RESOURCE='{compute.GROUP}'\n" in script
    policy = resources[compute.GROUP]["UpdatePolicy"]["AutoScalingRollingUpdate"]
    assert policy["WaitOnResourceSignals"]


def test_the_script_completes_the_hook_of_its_group_and_may(
    resources: dict[str, Any], script: str
) -> None:
    group = resources[compute.GROUP]["Properties"]
    (hook,) = group["LifecycleHookSpecificationList"]
    assert f"HOOK='{hook['LifecycleHookName']}'\n" in script
    assert hook["LifecycleTransition"] == "autoscaling:EC2_INSTANCE_LAUNCHING"
    assert hook["DefaultResult"] == "ABANDON"
    (right,) = (
        statement["Resource"]["Fn::Sub"]
        for policy in resources["ApplicationRole"]["Properties"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Action"] == ["autoscaling:CompleteLifecycleAction"]
    )
    name = group["AutoScalingGroupName"]["Fn::Sub"]
    assert right.endswith(f":autoScalingGroup:*:autoScalingGroupName/{name}")
    # Another instance can still come up while CloudFormation waits for the first one's signal.
    assert compute.SIGNAL_TIMEOUT == "PT10M"
    assert hook["HeartbeatTimeout"] * 2 <= 600


def test_an_instance_may_read_its_artifact_and_secret_and_no_other(
    resources: dict[str, Any],
) -> None:
    allowed = {
        action: statement["Resource"]
        for policy in resources["ApplicationRole"]["Properties"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        for action in statement["Action"]
    }
    artifact = {"Fn::Sub": "arn:${AWS::Partition}:s3:::${ArtifactBucket}/${ArtifactKey}"}
    assert allowed["s3:GetObject"] == artifact
    secret = {"Fn::GetAtt": ["Database", "MasterUserSecret.SecretArn"]}
    assert allowed["secretsmanager:GetSecretValue"] == secret
    endpoint = resources["S3Endpoint"]["Properties"]["PolicyDocument"]["Statement"][0]
    assert artifact in endpoint["Resource"]
