"""The function that closes a security group: what it asks of EC2, and what it answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError
from botocore.stub import Stubber

from webtier import default_security_group as resource
from webtier.functions import close_default_security_group as function

GROUP = "sg-0123456789abcdef0"
FROM_ITSELF = {
    "IpProtocol": "-1",
    "UserIdGroupPairs": [{"GroupId": GROUP, "UserId": "111111111111"}],
}
TO_ANYWHERE = {
    "IpProtocol": "-1",
    "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
    "Ipv6Ranges": [{"CidrIpv6": "::/0"}],
}
CONTEXT = SimpleNamespace(log_group_name="the-log", log_stream_name="the-stream")


@dataclass
class CloudFormation:
    """Takes answers at a URL; the first `busy` requests get 503."""

    url: str
    busy: int = 0
    status: int = 200
    answers: list[dict[str, Any]] = field(default_factory=list)
    types: list[str | None] = field(default_factory=list)

    def event(self, request: str = "Create", **more: Any) -> dict[str, Any]:
        return {
            "RequestType": request,
            "RequestId": "request",
            "StackId": "stack",
            "ResponseURL": self.url,
            "ResourceType": "Custom::ClosedSecurityGroup",
            "LogicalResourceId": "DefaultSecurityGroup",
            "ResourceProperties": {"ServiceToken": "token", "SecurityGroupId": GROUP},
            **more,
        }


@pytest.fixture
def cloudformation() -> Iterator[CloudFormation]:
    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = there.status
            if there.busy:
                there.busy, status = there.busy - 1, 503
            else:
                there.answers.append(json.loads(body))
                there.types.append(self.headers["Content-Type"])
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    there = CloudFormation(f"http://127.0.0.1:{server.server_port}/answer?signature=x%2Fy")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield there
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def ec2(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    """EC2's client, which the handler makes, with prepared answers: all have to be asked for."""
    client = boto3.client(
        "ec2", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    monkeypatch.setattr(function.boto3, "client", lambda *_, **__: client)
    monkeypatch.setattr(function.time, "sleep", lambda seconds: None)
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def there_are(ec2: Stubber, ingress: list[Any], egress: list[Any]) -> None:
    found = {"GroupId": GROUP, "IpPermissions": ingress, "IpPermissionsEgress": egress}
    ec2.add_response("describe_security_groups", {"SecurityGroups": [found]}, {"GroupIds": [GROUP]})


def goes(ec2: Stubber, direction: str, rule: Any) -> None:
    ec2.add_response(
        f"revoke_security_group_{direction}",
        {"Return": True},
        {"GroupId": GROUP, "IpPermissions": [rule]},
    )


def succeeded(answer: dict[str, Any]) -> bool:
    return answer == {
        "Status": "SUCCESS",
        "PhysicalResourceId": GROUP,
        "LogicalResourceId": "DefaultSecurityGroup",
        "RequestId": "request",
        "StackId": "stack",
    }


@pytest.mark.parametrize("request_type", ["Create", "Update"])
def test_every_rule_is_revoked(
    cloudformation: CloudFormation, ec2: Stubber, request_type: str
) -> None:
    there_are(ec2, [FROM_ITSELF], [TO_ANYWHERE])
    goes(ec2, "ingress", FROM_ITSELF)
    goes(ec2, "egress", TO_ANYWHERE)
    function.handler(cloudformation.event(request_type), CONTEXT)
    (answer,) = cloudformation.answers
    assert succeeded(answer)
    # The URL's signature is of a request without a type.
    assert cloudformation.types == [""]


def test_a_group_without_rules_is_left_alone(cloudformation: CloudFormation, ec2: Stubber) -> None:
    there_are(ec2, [], [])
    function.handler(cloudformation.event(), CONTEXT)
    assert succeeded(cloudformation.answers[0])


def test_an_update_to_another_group_says_so_by_its_id(
    cloudformation: CloudFormation, ec2: Stubber
) -> None:
    """CloudFormation then deletes the resource of the old one."""
    there_are(ec2, [], [])
    function.handler(cloudformation.event("Update", PhysicalResourceId="sg-old"), CONTEXT)
    assert succeeded(cloudformation.answers[0])


def test_a_deletion_touches_nothing(cloudformation: CloudFormation, ec2: Stubber) -> None:
    event = cloudformation.event("Delete", PhysicalResourceId="sg-old")
    function.handler(event, CONTEXT)
    assert cloudformation.answers[0]["Status"] == "SUCCESS"
    assert cloudformation.answers[0]["PhysicalResourceId"] == "sg-old"


def test_what_passes_is_tried_again(cloudformation: CloudFormation, ec2: Stubber) -> None:
    ec2.add_client_error("describe_security_groups", "UnauthorizedOperation", "not yet")
    there_are(ec2, [FROM_ITSELF], [TO_ANYWHERE])
    ec2.add_client_error("revoke_security_group_ingress", "InvalidPermission.NotFound", "gone")
    there_are(ec2, [], [TO_ANYWHERE])
    goes(ec2, "egress", TO_ANYWHERE)
    function.handler(cloudformation.event(), CONTEXT)
    assert succeeded(cloudformation.answers[0])


def test_what_does_not_pass_is_told(cloudformation: CloudFormation, ec2: Stubber) -> None:
    for _ in range(len(function.WAITS) + 1):
        ec2.add_client_error("describe_security_groups", "UnauthorizedOperation", "You may not.")
    function.handler(cloudformation.event(), CONTEXT)
    (answer,) = cloudformation.answers
    assert answer["Status"] == "FAILED"
    assert answer["PhysicalResourceId"] == "DefaultSecurityGroup"
    assert answer["Reason"].startswith(f"Rules of the security group {GROUP} could not be revoked")
    assert "You may not." in answer["Reason"]
    assert answer["Reason"].endswith("(log: the-log, the-stream)")


def test_other_errors_are_told_at_once(cloudformation: CloudFormation, ec2: Stubber) -> None:
    ec2.add_client_error("describe_security_groups", "InvalidGroup.NotFound", "no such group")
    function.handler(cloudformation.event(), CONTEXT)
    assert "no such group" in cloudformation.answers[0]["Reason"]


def test_an_ec2_that_does_not_answer_is_told(
    cloudformation: CloudFormation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: Any, **__: Any) -> Any:
        raise ConnectTimeoutError(endpoint_url="https://ec2.us-east-1.amazonaws.com/")

    monkeypatch.setattr(function.boto3, "client", unreachable)
    function.handler(cloudformation.event(), CONTEXT)
    assert "Connect timeout" in cloudformation.answers[0]["Reason"]


@pytest.mark.parametrize("properties", [{}, {"SecurityGroupId": None}])
def test_a_request_without_a_group_is_told(
    cloudformation: CloudFormation, monkeypatch: pytest.MonkeyPatch, properties: dict[str, Any]
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    function.handler(cloudformation.event(ResourceProperties=properties), CONTEXT)
    assert cloudformation.answers[0]["Status"] == "FAILED"
    assert cloudformation.answers[0]["PhysicalResourceId"]


def test_a_long_reason_is_cut_to_what_an_answer_may_have(
    cloudformation: CloudFormation, ec2: Stubber
) -> None:
    """AWS CloudFormation User Guide: a response has at most 4,096 bytes."""
    ec2.add_client_error("describe_security_groups", "InternalError", "x" * 9000)
    function.handler(cloudformation.event(), CONTEXT)
    (answer,) = cloudformation.answers
    assert len(json.dumps(answer)) < 4096
    assert answer["Reason"].endswith("the-stream)")


def test_an_answer_is_sent_again_where_nobody_took_it(
    cloudformation: CloudFormation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(function, "ANSWERING", function.ANSWERING.new(backoff_factor=0))
    cloudformation.busy = 2
    function.handler(cloudformation.event("Delete"), CONTEXT)
    assert len(cloudformation.answers) == 1


def test_an_answer_that_is_refused_fails_the_invocation(cloudformation: CloudFormation) -> None:
    """Lambda then tries the whole again."""
    cloudformation.status = 403
    with pytest.raises(RuntimeError, match="403"):
        function.handler(cloudformation.event("Delete"), CONTEXT)


def test_waiting_leaves_time_to_answer() -> None:
    tries = function.QUICK.retries["total_max_attempts"]
    call = tries * (function.QUICK.connect_timeout + function.QUICK.read_timeout)
    answering = (function.ANSWERING.total + 1) * call / tries + sum((0, 2, 4))
    assert sum(function.WAITS) + 3 * call + answering < resource.TIMEOUT
    assert resource.SERVICE_TIMEOUT >= 2 * resource.TIMEOUT + 60


def test_errors_of_botocore_are_not_swallowed(ec2: Stubber) -> None:
    for _ in range(2):
        ec2.add_client_error("describe_security_groups", "UnauthorizedOperation", "no")
    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        function.close(ec2.client, GROUP, waits=(0,))
