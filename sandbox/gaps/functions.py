"""Runs functions as AWS's Python runtimes do, and measures every invocation.

AWS: a function sees its own package, the runtime's boto3 and its own environment. An exception
leaves the execution environment alive and is answered with its type, message and stack trace; the
log keeps what was printed. Every invocation, whoever asks for it, counts in Invocations, Errors,
Duration and ConcurrentExecutions; a throttled request counts in Throttles alone. Sources, AWS
Lambda developer guide: "Understanding the Lambda execution environment lifecycle",
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html, and "Types of metrics
for Lambda functions", https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html.

MiniStack 1.5.33: functions run under the emulator's own interpreter with its packages and its
environment; every exception is a `Runtime.HandlerError` and ends the process; a handler that prints
nothing waits 50 ms for its log, and does not know the name of a log group of its own; only direct
invocations are measured; a new function is `Pending` for half a second; clients wait five for it.

The filler: `function_worker` runs under the interpreter given to `install`, for every `python3.x`
runtime. Layers, SnapStart and the count of recursive invocations are left out: a function that
has layers is refused.
"""

from __future__ import annotations

import queue
import time
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import cloudwatch, lambda_svc

from sandbox.gaps import encryption, function_worker

# How long after its answer a function's last log lines may take to arrive, in seconds.
LOG_LIMIT = 1.0

_execute_other_runtime = lambda_svc._execute_function_warm
_dispatch = lambda_svc._execute_function_dispatch
_detect_runtime_binary = lambda_runtime._detect_runtime_binary
_execution_credentials = lambda_runtime.execution_credentials
_drain_stderr = lambda_runtime.Worker._drain_stderr_bounded


def install(*, python: Path) -> None:
    """Run functions of every Python runtime under the interpreter `python`."""
    source = Path(function_worker.__file__).read_text(encoding="utf-8")

    def runtime_binary(runtime: str) -> tuple[str, str]:
        if is_python(runtime):
            return str(python), source
        binary, script = _detect_runtime_binary(runtime)
        return str(binary), str(script)

    lambda_runtime._detect_runtime_binary = runtime_binary
    lambda_runtime.execution_credentials = runtime_variables
    lambda_runtime.Worker._drain_stderr_bounded = drain_log
    lambda_svc._execute_function_warm = execute
    lambda_svc._execute_function_dispatch = measured_dispatch
    lambda_svc._emit_lambda_metrics = record_throttle
    lambda_svc._LAMBDA_STATE_TRANSITION_DELAY = 0.0


def is_python(runtime: str) -> bool:
    """Whether this is one of Lambda's Python runtimes."""
    return runtime.startswith("python3.")


def runtime_variables(config: dict[str, Any]) -> dict[str, str]:
    """The environment variables that Lambda sets for a function: its role, and where it logs."""
    usual = f"/aws/lambda/{config['FunctionName']}"
    group = (config.get("LoggingConfig") or {}).get("LogGroup") or usual
    return {**_execution_credentials(config), "AWS_LAMBDA_LOG_GROUP_NAME": group}


def execute(function: dict[str, Any], event: object, request_id: str) -> dict[str, Any]:
    """Run one invocation; the result in the emulator's form: `body`, `error` and `log`."""
    config = function["config"]
    if not is_python(config.get("Runtime", "")):
        result: dict[str, Any] = _execute_other_runtime(function, event, request_id)
        return result
    if config.get("Layers"):
        message = "The sandbox does not run functions with layers: put the code into the package."
        return failed(error_document(message, "Runtime.InvalidLayers", request_id))
    lambda_svc._ensure_reaper_thread()
    name, version = config["FunctionName"], config.get("Version", "$LATEST")
    worker, source = lambda_svc.acquire_worker(
        name, config, function["code_zip"], qualifier=version
    )
    account, region = lambda_svc._account_region_from_function_config(config)
    if source == "spawn" and not encryption.may_decrypt_environment(config):
        lambda_svc.release_worker(worker)
        lambda_svc.invalidate_worker(name, qualifier=version, account=account, region=region)
        message = "Lambda was unable to decrypt the environment variables: KMS access was denied."
        return failed(error_document(message, "KMSAccessDeniedException", request_id))
    try:
        answer = worker.invoke(
            event,
            request_id,
            trace_id=lambda_svc._xray_trace_id_for_invocation(config),
            invoked_function_arn=config["FunctionArn"],
        )
    except Exception as error:  # a package that cannot start is the function's failure
        lambda_svc.invalidate_worker(name, qualifier=version, account=account, region=region)
        worker = None
        return failed(error_document(str(error), "Runtime.ExitError", request_id))
    finally:
        lambda_svc.release_worker(worker)
    result = interpret(answer, request_id)
    if "duration_ms" in answer:
        result["duration_ms"] = answer["duration_ms"]
    return result


def interpret(answer: dict[str, Any], request_id: str) -> dict[str, Any]:
    """The emulator's result for a worker's answer, or for the lack of one."""
    log = answer.get("log", "")
    outcome = answer.get("outcome")
    if outcome is None:
        reason = str(answer.get("error", ""))
        if reason.startswith("Task timed out"):
            document = error_document(reason, "Sandbox.Timedout", request_id)
        else:
            reason = "Runtime exited without providing a reason"
            document = error_document(reason, "Runtime.ExitError", request_id)
        return failed(document, "\n".join(filter(None, [log, document["errorMessage"]])))
    if "error" in outcome:
        return failed(outcome["error"], log)
    return {"body": outcome["result"], "log": log}


def error_document(message: str, error_type: str, request_id: str) -> dict[str, Any]:
    """What Lambda itself answers where the function could not."""
    text = f"RequestId: {request_id} Error: {message}"
    return {"errorMessage": text, "errorType": error_type}


def failed(document: dict[str, Any], log: str = "") -> dict[str, Any]:
    """The emulator's result for a function error."""
    return {"body": document, "error": True, "log": log}


def drain_log(worker: lambda_runtime.Worker) -> str:
    """What the function printed in the invocation just answered."""
    if not is_python(worker.config.get("Runtime", "")):
        return str(_drain_stderr(worker))
    lines: list[str] = []
    deadline = time.monotonic() + LOG_LIMIT
    while (remaining := deadline - time.monotonic()) > 0:
        try:
            line = worker._stderr_queue.get(timeout=remaining if worker._proc else 0.05)
        except queue.Empty:
            break
        if line.startswith(function_worker.END_OF_LOG):
            break
        lines.append(line)
    return "\n".join(lines)


def measured_dispatch(
    function: dict[str, Any], config: dict[str, Any], event: object, request_id: str, started: float
) -> dict[str, Any]:
    """Run one invocation that has its share of concurrency, and record its metrics."""
    concurrent = lambda_svc.executions_in_flight()[1].get(lambda_svc._inflight_key(config), 1)
    result: dict[str, Any] = _dispatch(function, config, event, request_id, started)
    # The function's own time, without that of a cold start; all of it where it never answered.
    duration = result.get("duration_ms", (time.time() - started) * 1000)
    name = config["FunctionName"]
    record(name, "Invocations", 1)
    record(name, "Errors", 1 if result.get("error") else 0)
    record(name, "Throttles", 0)
    record(name, "ConcurrentExecutions", concurrent)
    record(name, "Duration", duration, "Milliseconds")
    return result


def record_throttle(function_name: str, duration_ms: float, error: bool, throttle: bool) -> None:
    """Record a throttled request; `measured_dispatch` records the others.

    A direct invocation reports its throttle twice, the second time with a duration.
    """
    if throttle and duration_ms == 0 and not error:
        record(function_name, "Throttles", 1)


def record(function_name: str, metric: str, value: float, unit: str = "Count") -> None:
    """Add one data point of the function to the namespace AWS/Lambda."""
    dimensions = {"FunctionName": function_name}
    cloudwatch.record_metric("AWS/Lambda", metric, value, unit, dimensions)
