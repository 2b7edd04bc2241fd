"""Deployments that are killed at any point, or that two people start at once."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from deploy import artifacts
from deploy.lock import LEASE_SECONDS
from sandbox import environment
from tests.integration.deploy.project import CHECKOUT, RESOURCES, STACK, Project
from tests.integration.deploy.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import EmbeddedAws

# The requests that change the account during a first deployment, in order.
STEPS = {
    "bucket made": r"ExecuteChangeSet",
    "lock taken": r"PUT /aws-architectures-[^/]*/locks/",
    "change set made": rf"CreateChangeSet {STACK}",
    "change set executed": r"ExecuteChangeSet",
    "role made": r"CreateRole",
    "role given its policy": r"PutRolePolicy",
    "function made": r"POST /2015-03-31/functions$",
    "API made": r"POST /restapis\?",
    "API allowed to invoke": r"POST /2015-03-31/functions/[^/]*/policy",
    "API deployed": r"POST /restapis/[^/]*/deployments",
    "state written": r"PUT /aws-architectures-[^/]*/state/",
    "lock released": r"DELETE /aws-architectures-[^/]*/locks/",
}

EXTRA_FUNCTION = """

@app.lambda_function()
def extra(event, context):
    return {}
"""


@pytest.fixture
def proxy(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """The way to the embedded AWS for the commands of this test."""
    with Proxy(aws.endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        yield proxy


@pytest.fixture
def project(account: str, tmp_path: Path, unique: str) -> Project:
    return Project(tmp_path / "first", f"shop-{unique}")


def run_until(proxy: Proxy, project: Project, *steps: str) -> None:
    """Deploy, and kill the process by SIGKILL once AWS has done the last of these steps."""
    process = subprocess.Popen(
        project.command(),
        cwd=CHECKOUT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    left = list(steps)

    def on_done(request: str) -> bool:
        if left and re.match(STEPS[left[0]], request):
            left.pop(0)
            if not left:
                process.kill()
        return not left

    proxy.on_done = on_done
    assert process.wait(timeout=120) == -signal.SIGKILL
    assert not left
    proxy.on_done = lambda _request: False


class Found:
    """What the account has of the project."""

    def __init__(self, aws: EmbeddedAws, account: str, project: Project) -> None:
        lambda_, iam = aws.client("lambda", account), aws.client("iam", account)
        self.functions = sorted(
            function["FunctionName"] for function in lambda_.list_functions()["Functions"]
        )
        self.roles = sorted(
            role["RoleName"]
            for role in iam.list_roles()["Roles"]
            if role["RoleName"].startswith(project.name)
        )
        self.apis = [
            api["id"] for api in aws.client("apigateway", account).get_rest_apis()["items"]
        ]
        cloudformation = aws.client("cloudformation", account)
        self.change_sets = [
            change_set["ChangeSetName"]
            for change_set in cloudformation.list_change_sets(StackName=STACK)["Summaries"]
            if change_set["ExecutionStatus"] != "EXECUTE_COMPLETE"
        ]
        s3 = aws.client("s3", account)
        bucket = f"{artifacts.STACK}-{account}-us-east-1"
        self.locks = s3.list_objects_v2(Bucket=bucket, Prefix="locks/").get("Contents", [])
        state = s3.get_object(Bucket=bucket, Key="state/crud_api/dev.json")
        self.state: dict[str, Any] = json.loads(state["Body"].read())


def answer(aws: EmbeddedAws, api: str) -> Any:
    """What the API says to a request of its account."""
    request = AWSRequest("GET", f"{aws.endpoint}/_aws/execute-api/{api}/api/")
    SigV4Auth(boto3.Session().get_credentials(), "execute-api", environment.REGION).add_auth(
        request
    )
    return httpx.get(str(request.url), headers=dict(request.headers), timeout=30).json()


@pytest.mark.parametrize("step", STEPS)
def test_a_killed_deployment_is_repaired_by_the_next_from_a_fresh_clone(
    aws: EmbeddedAws, account: str, proxy: Proxy, project: Project, tmp_path: Path, step: str
) -> None:
    run_until(proxy, project, *list(STEPS)[: list(STEPS).index(step) + 1])
    # The lease of the lock runs out.
    proxy.ahead = timedelta(seconds=LEASE_SECONDS + 30)
    clone = project.clone(tmp_path / "second")

    repaired = clone.run()

    assert (repaired.returncode, repaired.stderr) == (0, "")
    found = Found(aws, account, project)
    assert found.functions == [f"{project.name}-dev"]
    assert found.roles == [f"{project.name}-dev-api_handler"]
    assert len(found.apis) == 1
    assert not found.change_sets
    assert not found.locks
    assert found.state["app"] == json.loads(clone.state.read_text())
    assert found.state["app"]["resources"][-1]["rest_api_id"] == found.apis[0]
    assert answer(aws, found.apis[0]) == {"table": f"{STACK}-{project.name}"}


def test_ctrl_c_says_what_to_do_and_leaves_no_lock(
    aws: EmbeddedAws, account: str, proxy: Proxy, project: Project
) -> None:
    process = subprocess.Popen(
        project.command(),
        cwd=CHECKOUT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )

    def on_done(request: str) -> bool:
        if re.match(STEPS["role made"], request):
            process.send_signal(signal.SIGINT)
        return False

    proxy.on_done = on_done
    _, told = process.communicate(timeout=120)

    assert process.returncode == 130
    assert "run the same command again, on any machine, and it goes on from there" in told
    assert project.run().returncode == 0
    assert Found(aws, account, project).functions == [f"{project.name}-dev"]


def test_what_an_app_has_no_more_is_deleted_though_it_was_never_noted(
    aws: EmbeddedAws, account: str, proxy: Proxy, project: Project, tmp_path: Path
) -> None:
    assert project.run().returncode == 0
    app = project.directory / "app.py"
    app.write_text(app.read_text() + EXTRA_FUNCTION)
    project.use(RESOURCES.replace('["api_handler"]', '["api_handler", "extra"]'))
    run_until(proxy, project, "function made")
    assert f"{project.name}-dev-extra" in Found(aws, account, project).functions
    proxy.ahead = timedelta(seconds=LEASE_SECONDS + 30)

    repaired = project.clone(tmp_path / "second").run()

    assert repaired.returncode == 0
    assert "was cut off: taken over" in repaired.stdout
    found = Found(aws, account, project)
    assert found.functions == [f"{project.name}-dev"]
    assert found.roles == [f"{project.name}-dev-api_handler"]


def start(project: Project) -> subprocess.Popen[str]:
    return subprocess.Popen(
        project.command(),
        cwd=CHECKOUT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_of_two_deployments_at_once_one_waits_for_the_other(
    aws: EmbeddedAws, account: str, proxy: Proxy, project: Project, tmp_path: Path
) -> None:
    clone = project.clone(tmp_path / "second")
    others: list[subprocess.Popen[str]] = []
    waiting: list[str] = []

    def on_done(request: str) -> bool:
        # The first has the lock and gets no answer yet: the second comes, and has to wait.
        if not others and re.match(STEPS["lock taken"], request):
            others.append(start(clone))
            for line in others[0].stdout or ():
                waiting.append(line)
                if "waiting (Ctrl-C to give up)" in line:
                    break
        return False

    proxy.on_done = on_done
    first = start(project)
    output = first.communicate(timeout=120)[0]
    (second,) = others
    rest = second.communicate(timeout=120)[0]

    assert (first.returncode, second.returncode) == (0, 0), (output, waiting, rest)
    assert f"process {first.pid}) is deploying" in waiting[-1]
    found = Found(aws, account, project)
    assert len(found.apis) == len(found.functions) == len(found.roles) == 1
