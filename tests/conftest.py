"""Fixtures every test may use: an embedded AWS, stacks in it, and the apps freshly imported."""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import boto3
import pytest

from deploy import template as template_limits
from sandbox import emulator, environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import ModuleType

    from troposphere import Template

ROOT = Path(__file__).resolve().parent.parent


def pytest_configure() -> None:
    """Take Ctrl-C, also where a shell runs the tests in the background and has it ignored.

    What is started inherits that, and tests press Ctrl-C.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass(frozen=True)
class EmbeddedAws:
    """The embedded AWS of this test run."""

    endpoint: str
    directory: Path

    def client(self, service: str, account: str = environment.WORKLOAD_ACCOUNT) -> Any:
        """A boto3 client of that service as an administrator of the account."""
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=environment.REGION,
            aws_access_key_id=account,
            aws_secret_access_key=environment.SECRET_ACCESS_KEY,
        )


class DeployStack(Protocol):
    """Creates a stack for the length of one test and returns its outputs."""

    def __call__(
        self,
        name: str,
        template: Template,
        parameters: Mapping[str, str] | None = None,
        account: str = environment.WORKLOAD_ACCOUNT,
    ) -> dict[str, str]: ...


class LoadApp(Protocol):
    """Imports `<part>/app.py` afresh, with just those environment variables added."""

    def __call__(self, part: str, environment: Mapping[str, str]) -> ModuleType: ...


@pytest.fixture(autouse=True)
def environment_stays() -> Iterator[None]:
    """chalice.test puts a plain dict in the place of os.environ for the length of a request.

    Threads leave it there, and what is set in it reaches no process that a later test starts.
    """
    real, before = os.environ, dict(os.environ)
    yield
    os.environ = real  # noqa: B003 - the very object is what is restored
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def embedded_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    """One embedded AWS for the whole run, with nothing deployed."""
    started = emulator.start(
        tmp_path_factory.mktemp("aws") / "sandbox",
        port=emulator.any_free_port(),
    )
    yield EmbeddedAws(started.endpoint, started.directory)
    started.stop()


@pytest.fixture
def aws(embedded_aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> EmbeddedAws:
    """The embedded AWS, with this process's environment pointing at it."""
    for name in environment.CONFLICTING:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.variables(embedded_aws.endpoint, embedded_aws.directory).items():
        monkeypatch.setenv(name, value)
    # A default session made earlier remembers the credentials of its time.
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    return embedded_aws


@pytest.fixture
def deploy_stack(aws: EmbeddedAws) -> Iterator[DeployStack]:
    """Creates stacks and deletes them, newest first, when the test ends."""
    created: list[tuple[str, str]] = []

    def deploy(
        name: str,
        template: Template,
        parameters: Mapping[str, str] | None = None,
        account: str = environment.WORKLOAD_ACCOUNT,
    ) -> dict[str, str]:
        client = aws.client("cloudformation", account)
        body = json.dumps(template.to_dict(), separators=(",", ":"))
        client.create_stack(
            StackName=name,
            **template_source(aws, account, name, body),
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value}
                for key, value in (parameters or {}).items()
            ],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        created.append((name, account))
        try:
            client.get_waiter("stack_create_complete").wait(
                StackName=name, WaiterConfig={"Delay": 0.2, "MaxAttempts": 300}
            )
        finally:
            events = client.describe_stack_events(StackName=name)["StackEvents"]
            for event in events:
                if event["ResourceStatus"].endswith("FAILED"):
                    print(event["LogicalResourceId"], event.get("ResourceStatusReason"))
        stack = client.describe_stacks(StackName=name)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    yield deploy
    for name, account in reversed(created):
        aws.client("cloudformation", account).delete_stack(StackName=name)


def template_source(aws: EmbeddedAws, account: str, stack: str, body: str) -> dict[str, str]:
    """The template as CreateStack takes it: what is longer than a request goes by S3."""
    if len(body.encode()) <= template_limits.MAX_BODY:
        return {"TemplateBody": body}
    bucket, s3 = f"templates-{account}", aws.client("s3", account)
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key=f"{stack}.json", Body=body.encode())
    return {"TemplateURL": f"{aws.endpoint}/{bucket}/{stack}.json"}


@pytest.fixture
def load_app(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoadApp]:
    """Both apps have the modules `app` and `chalicelib`, as Chalice wants: one at a time."""

    def forget() -> None:
        for name in list(sys.modules):
            if name.split(".")[0] in ("app", "chalicelib"):
                del sys.modules[name]

    def load(part: str, environment: Mapping[str, str]) -> ModuleType:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.syspath_prepend(str(ROOT / part))
        forget()
        return importlib.import_module("app")

    yield load
    forget()


@pytest.fixture
def unique() -> str:
    """A name part no other test uses: the embedded AWS is shared by all of them."""
    return uuid.uuid4().hex[:12]
