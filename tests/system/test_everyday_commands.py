"""The commands people use, as they are: plain Chalice and plain AWS tools against the sandbox."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from sandbox.emulator import any_free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Checkout

SANDBOX = ("python", "-m", "sandbox")
IN_THE_SANDBOX = 'eval "$(python -m sandbox env)" && '

UNKNOWN_TYPE = """

from troposphere import AWSObject

right_template = template


def template():
    built = right_template()
    nothing = type("Nothing", (AWSObject,), {"resource_type": "AWS::Nothing::Here", "props": {}})
    built.add_resource(nothing("Nothing"))
    return built
"""


@pytest.fixture(scope="module")
def deployed(checkout: Checkout) -> Iterator[dict[str, str]]:
    """The URLs of the APIs in a sandbox with all four parts."""
    started = checkout.run(*SANDBOX, "up", "--detach")
    assert started.returncode == 0, started.stdout
    status = json.loads(checkout.run(*SANDBOX, "status", "--json").stdout)
    assert {stack["name"] for stack in status["stacks"]} == {
        "aws-architectures-artifacts",
        "crud-api-local",
        "image-api-local",
        "image-api-operations-local",
        "monitoring-local",
        "monitoring-workload-local",
        "webtier-local",
    }
    yield status["apis"]
    checkout.run(*SANDBOX, "down")


def shell(checkout: Checkout, script: str) -> str:
    """What a script prints with the sandbox's environment; it has to succeed."""
    ran = checkout.run("bash", "-c", IN_THE_SANDBOX + script)
    assert ran.returncode == 0, ran.stdout
    return ran.stdout


def get_when_up(url: str) -> httpx.Response:
    """The answer of a server that is just being started."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return httpx.get(url, timeout=20)
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


@pytest.mark.parametrize("part", ["image_api", "crud_api"])
def test_chalice_deploy_updates_the_api_that_is_there(
    checkout: Checkout, deployed: dict[str, str], part: str
) -> None:
    printed = shell(
        checkout, f"cd {part} && chalice deploy --stage local && chalice url --stage local"
    )
    assert "Updating rest API" in printed
    assert deployed[part].split("/")[-2] in printed.splitlines()[-1]


@pytest.mark.parametrize(("part", "path"), [("image_api", "/images"), ("crud_api", "/items")])
def test_chalice_local_serves_the_app_over_the_deployed_data(
    checkout: Checkout, deployed: dict[str, str], part: str, path: str
) -> None:
    port = any_free_port()
    command = f"cd {part} && exec chalice local --stage local --port {port}"
    process = subprocess.Popen(
        ["bash", "-c", IN_THE_SANDBOX + command],
        cwd=checkout.path,
        env=checkout.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    with process:
        try:
            served = get_when_up(f"http://127.0.0.1:{port}{path}")
        finally:
            # As Ctrl-C on a terminal does: the reloader is a child in the same group.
            os.killpg(process.pid, signal.SIGINT)
            process.wait(timeout=20)
    assert served.status_code == 200, served.text
    assert list(served.json()) == list(httpx.get(deployed[part] + path, timeout=20).json())


def test_the_aws_command_line_sees_the_buckets(
    checkout: Checkout, deployed: dict[str, str]
) -> None:
    assert "image-api-local-source-111111111111-us-east-1" in shell(checkout, "aws s3 ls")


def test_the_default_security_group_of_the_web_tier_has_no_rules(
    checkout: Checkout, deployed: dict[str, str]
) -> None:
    printed = shell(
        checkout,
        "vpc=$(aws cloudformation describe-stack-resource --stack-name webtier-local "
        "--logical-resource-id Vpc --query StackResourceDetail.PhysicalResourceId --output text) "
        "&& aws ec2 describe-security-groups --output json "
        "--filters Name=vpc-id,Values=$vpc Name=group-name,Values=default "
        "--query 'SecurityGroups[].[IpPermissions, IpPermissionsEgress]'",
    )
    assert json.loads(printed) == [[[], []]]


def test_a_wrong_part_or_stage_is_named(checkout: Checkout, deployed: dict[str, str]) -> None:
    for command, named in (
        ("python -m deploy crud --stage local", "crud_api"),
        ("python -m deploy crud_api --stage nowhere", "nowhere"),
    ):
        ran = checkout.run("bash", "-c", IN_THE_SANDBOX + command)
        assert ran.returncode in (1, 2)
        assert named in ran.stdout.splitlines()[-1]
        assert "Traceback" not in ran.stdout


def test_an_invalid_template_is_named_and_leaves_no_stack(
    checkout: Checkout, deployed: dict[str, str]
) -> None:
    resources = checkout.path / "crud_api" / "resources.py"
    right = resources.read_text()
    resources.write_text(right + UNKNOWN_TYPE)
    try:
        ran = checkout.run("bash", "-c", f"{IN_THE_SANDBOX}python -m deploy crud_api --stage dev")
    finally:
        resources.write_text(right)
    assert ran.returncode == 1
    assert "AWS::Nothing::Here" in ran.stdout
    assert "Traceback" not in ran.stdout
    status = json.loads(checkout.run(*SANDBOX, "status", "--json").stdout)
    assert "crud-api-dev" not in {stack["name"] for stack in status["stacks"]}


def test_deployments_stop_when_interrupted(checkout: Checkout, deployed: dict[str, str]) -> None:
    process = subprocess.Popen(
        ["bash", "-c", f"{IN_THE_SANDBOX}exec python -u -m deploy image_api --stage local"],
        cwd=checkout.path,
        env=checkout.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(timeout=20) == 130
    assert "Traceback" not in rest
