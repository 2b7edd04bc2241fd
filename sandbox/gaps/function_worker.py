"""Runs one Python function: this process is one of its execution environments.

It is a program for the function's own interpreter, so it imports nothing but the standard library.
The emulator speaks to it in lines of JSON: on standard input one that describes the function, then
one an invocation; on standard output one answer each. Whatever the function itself prints goes to
standard error, where a line that starts with `END_OF_LOG` closes each invocation.

Errors, log lines and environment are those of AWS's Python runtimes. Source: AWS Lambda developer
guide, "Using the Lambda context object to retrieve Python function information", "Log and monitor
Python Lambda functions" and "Working with Lambda environment variables",
https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any, TextIO, cast

END_OF_LOG = "\x1eend "
# AWS Lambda quotas: 6 MB a synchronous response; the runtime interface's limit is 100 bytes more.
RESPONSE_LIMIT = 6 * 1024 * 1024 + 100
# From the emulator's own environment these alone reach the function. HOME and TMPDIR keep what it
# writes, and where botocore looks for settings, inside the sandbox's directory.
KEPT = {
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "HOME",
    "LAMBDA_TASK_ROOT",
    "PATH",
    "TMPDIR",
}


class Context:
    """The context object of a Python function."""

    def __init__(self, function: dict[str, Any], invocation: dict[str, Any]) -> None:
        self.function_name: str = function["function_name"]
        self.function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        self.invoked_function_arn: str = invocation["invoked_function_arn"]
        self.memory_limit_in_mb = str(function["memory"])
        self.aws_request_id: str = invocation["request_id"]
        self.log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME", "")
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME", "")
        self.identity = None
        self.client_context = None
        self._deadline = time.monotonic() + invocation["timeout_ms"] / 1000

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the time-out ends this invocation."""
        return max(0, int((self._deadline - time.monotonic()) * 1000))

    def log(self, message: object) -> None:
        """Write a line to the function's log."""
        sys.stdout.write(str(message))


Handler = Callable[[object, Context], object]


class RequestIdFilter(logging.Filter):
    """Puts the id of the running invocation on every log record."""

    request_id = ""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the id; every record passes."""
        record.aws_request_id = self.request_id
        return True


def main() -> None:
    """Serve invocations until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # print(), and C code too: only answers may reach the emulator's pipe
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    function = json.loads(sys.stdin.readline())
    set_environment(function["env"])
    request_id = set_up_logging()
    sys.path[:] = [function["code_dir"], *sys.path]
    handler = None
    failure = None
    try:
        handler = load(function["module"], function["handler"])
    except Exception as error:  # whatever the module raises is its answer
        failure = error
    answer(answers, {"status": "ready"})
    while line := sys.stdin.readline():
        message = json.loads(line)
        invocation = message["ctx"]
        request_id.request_id = invocation["request_id"]
        if invocation.get("trace_id"):
            os.environ["_X_AMZN_TRACE_ID"] = invocation["trace_id"]
        started = time.monotonic()
        if handler is None:
            # The status `error` ends this process: as on AWS, the next invocation starts anew.
            status, outcome = "error", {"error": describe(failure, invocation["request_id"])}
        else:
            status = "ok"
            outcome = invoke(handler, message["event"], Context(function, invocation))
        duration = (time.monotonic() - started) * 1000
        sys.stdout.flush()
        sys.stderr.write(f"{END_OF_LOG}{invocation['request_id']}\n")
        sys.stderr.flush()
        answer(answers, {"status": status, "outcome": outcome, "duration_ms": duration})


def set_environment(own: dict[str, str]) -> None:
    """Leave the function its own variables and the runtime's, nothing of the emulator's."""
    foreign = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:] = [entry for entry in sys.path if entry and entry not in foreign]
    for name in set(os.environ) - KEPT:
        del os.environ[name]
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    os.environ.update(
        {"AWS_EXECUTION_ENV": f"AWS_Lambda_python{version}", "LANG": "C.UTF-8", "TZ": ":UTC"} | own
    )
    time.tzset()


def set_up_logging() -> RequestIdFilter:
    """Give the root logger AWS's handler: WARNING and above, with the request id."""
    request_id = RequestIdFilter()
    handler = logging.StreamHandler(sys.stderr)
    layout = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s"
    formatter = logging.Formatter(layout, "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    handler.addFilter(request_id)
    logging.getLogger().addHandler(handler)
    return request_id


class RuntimeReportedError(Exception):
    """An error that the runtime itself reports, under a name of its own."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type


def load(module_name: str, handler_name: str) -> Handler:
    """Import the function. Raises RuntimeReportedError, or whatever the module raises."""
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        message = f"Unable to import module '{module_name}': {error}"
        raise RuntimeReportedError("Runtime.ImportModuleError", message) from error
    except SyntaxError as error:
        message = f"Syntax error in module '{module_name}': {error}"
        raise RuntimeReportedError("Runtime.UserCodeSyntaxError", message) from error
    handler = getattr(module, handler_name, None)
    if handler is None:
        message = f"Handler '{handler_name}' missing on module '{module_name}'"
        raise RuntimeReportedError("Runtime.HandlerNotFound", message)
    return cast("Handler", handler)


def invoke(handler: Handler, event: object, context: Context) -> dict[str, Any]:
    """`{"result": …}`, or `{"error": …}` where the function raised."""
    try:
        result = handler(event, context)
    except Exception as error:  # whatever the function raises is its answer
        return {"error": describe(error, context.aws_request_id)}
    try:
        size = len(json.dumps(result, ensure_ascii=False).encode("utf-8", "surrogatepass"))
        if size > RESPONSE_LIMIT:
            message = (
                "Response payload size exceeded maximum allowed payload size "
                f"({RESPONSE_LIMIT} bytes)."
            )
            raise RuntimeReportedError("Function.ResponseSizeTooLarge", message)
    except RuntimeReportedError as error:
        return {"error": describe(error, context.aws_request_id)}
    except (TypeError, ValueError) as error:
        failure = RuntimeReportedError(
            "Runtime.MarshalError", f"Unable to marshal response: {error}"
        )
        return {"error": describe(failure, context.aws_request_id)}
    return {"result": result}


def describe(error: BaseException | None, request_id: str) -> dict[str, Any]:
    """The error document of an invocation, printed to the log as well."""
    kind = error.error_type if isinstance(error, RuntimeReportedError) else type(error).__name__
    # The first frame is this file's.
    frames = traceback.extract_tb(error.__traceback__)[1:] if error else []
    lines = traceback.format_list(frames)
    shown = "Traceback (most recent call last):\n" + "".join(lines) if lines else ""
    sys.stderr.write(f"[ERROR] {kind}: {error}\n{shown}")
    return {
        "errorMessage": str(error),
        "errorType": kind,
        "requestId": request_id,
        "stackTrace": lines,
    }


def answer(stream: TextIO, document: dict[str, Any]) -> None:
    """Write one line of JSON."""
    stream.write(json.dumps(document) + "\n")
    stream.flush()


if __name__ == "__main__":
    main()
