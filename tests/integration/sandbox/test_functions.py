from __future__ import annotations

import base64
import json

import boto3
import pytest
from botocore.config import Config


@pytest.fixture
def invoke(aws):
    client = aws.client("lambda")

    def call(arn, event=None):
        answer = client.invoke(FunctionName=arn, Payload=json.dumps(event or {}), LogType="Tail")
        log = base64.b64decode(answer.get("LogResult", "")).decode()
        return json.loads(answer["Payload"].read()), answer.get("FunctionError"), log

    return call


def test_a_function_sees_the_runtime_and_nothing_of_the_emulator(create_function, invoke):
    arn = create_function(
        "import importlib.util, os, boto3\n"
        "def handler(event, context):\n"
        "    names = ('ministack', 'chalice', 'PIL')\n"
        "    found = {name: bool(importlib.util.find_spec(name)) for name in names}\n"
        "    return {'found': found, 'environment': dict(os.environ)}\n",
        Environment={"Variables": {"OWN": "yes"}},
    )
    result, _, _ = invoke(arn)
    assert not any(result["found"].values())
    environment = result["environment"]
    assert environment["OWN"] == "yes"
    assert environment["AWS_REGION"] == "us-east-1"
    assert environment["AWS_EXECUTION_ENV"].startswith("AWS_Lambda_python3.")
    assert {"GATEWAY_PORT", "AUTH", "BIND_HOST", "MINISTACK_ACCOUNT_ID"}.isdisjoint(environment)


@pytest.mark.parametrize("own", [{}, {"LoggingConfig": {"LogGroup": "/its/own"}}])
def test_a_function_knows_its_log(create_function, invoke, own):
    arn = create_function(
        "import os\n"
        "def handler(event, context):\n"
        "    return context.log_group_name, os.environ['AWS_LAMBDA_LOG_GROUP_NAME']\n",
        **own,
    )
    (name, variable), _, _ = invoke(arn)
    assert name == variable == ("/its/own" if own else f"/aws/lambda/{arn.rpartition(':')[2]}")


def test_an_exception_keeps_its_type_and_the_environment(create_function, invoke):
    arn = create_function(
        "import os\n"
        "def handler(event, context):\n"
        "    print('working on', event.get('task'))\n"
        "    if event.get('task') == 'bad':\n"
        "        raise LookupError('no such thing')\n"
        "    return os.getpid()\n"
    )
    before, _, log = invoke(arn, {"task": "good"})
    assert log == "working on good"
    error, kind, log = invoke(arn, {"task": "bad"})
    assert kind == "Unhandled"
    assert (error["errorType"], error["errorMessage"]) == ("LookupError", "no such thing")
    assert "raise LookupError" in error["stackTrace"][-1]
    assert log.splitlines()[:2] == ["working on bad", "[ERROR] LookupError: no such thing"]
    after, _, _ = invoke(arn, {"task": "good"})
    assert after == before


@pytest.mark.parametrize(
    ("source", "error_type", "message"),
    [
        ("import nothing_like_it\ndef handler(e, c): pass", "Runtime.ImportModuleError", "nothing"),
        ("def other(e, c): pass", "Runtime.HandlerNotFound", "'handler' missing"),
        ("raise KeyError('SETTING')", "KeyError", "SETTING"),
        ("def handler(e, c): return {1, 2}", "Runtime.MarshalError", "set is not JSON"),
        ("def handler(e, c): return 'x' * 7_000_000", "Function.ResponseSizeTooLarge", "exceeded"),
        ("import os\ndef handler(e, c): os._exit(1)", "Runtime.ExitError", "exited"),
        ("import time\ndef handler(e, c): time.sleep(9)", "Sandbox.Timedout", "after 1.00 seconds"),
    ],
)
def test_failures_have_the_types_of_the_runtime(
    create_function, invoke, source, error_type, message
):
    error, kind, _ = invoke(create_function(source, Timeout=1))
    assert kind == "Unhandled"
    assert error["errorType"] == error_type
    assert message in error["errorMessage"]


def test_every_invocation_counts_whoever_asks(aws, create_function, invoke, metric_sum, eventually):
    arn = create_function("def handler(e, c): return 1 / e['by']")
    name = arn.rsplit(":", 1)[-1]
    invoke(arn, {"by": 1})
    invoke(arn, {"by": 0})
    aws.client("lambda").invoke(FunctionName=arn, InvocationType="Event", Payload='{"by": 1}')

    def counted(metric):
        return metric_sum("AWS/Lambda", metric, FunctionName=name)

    eventually(lambda: counted("Invocations") == 3)
    assert counted("Errors") == 1
    assert counted("Throttles") == 0
    assert counted("ConcurrentExecutions") == 3
    assert 0 < counted("Duration") < 1000


def test_a_throttled_request_is_a_throttle_and_no_invocation(aws, create_function, metric_sum):
    client = boto3.client("lambda", config=Config(retries={"total_max_attempts": 1}))
    arn = create_function("def handler(e, c): pass")
    client.put_function_concurrency(FunctionName=arn, ReservedConcurrentExecutions=0)
    with pytest.raises(client.exceptions.TooManyRequestsException):
        client.invoke(FunctionName=arn)
    name = arn.rsplit(":", 1)[-1]
    assert metric_sum("AWS/Lambda", "Throttles", FunctionName=name) == 1
    assert metric_sum("AWS/Lambda", "Invocations", FunctionName=name) == 0


def test_a_new_function_is_active_at_once(aws, create_function):
    arn = create_function("def handler(e, c): pass")
    configuration = aws.client("lambda").get_function_configuration(FunctionName=arn)
    assert configuration["State"] == "Active"
