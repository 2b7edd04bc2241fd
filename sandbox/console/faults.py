"""Faults to watch the alarms by: a function is given a wrong setting, as a bad deployment would.

Lambda replaces all of a function's variables at once, so a fault is told by the variable itself:
nothing needs to be remembered, and a deployment repairs it too.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploy.redrive import redrive as put_back
from sandbox.console.clients import client
from sandbox.environment import WORKLOAD_ACCOUNT
from sandbox.parts import STAGE

if TYPE_CHECKING:
    from sandbox.emulator import Emulator

WRONG = "missing-"


@dataclass(frozen=True)
class Fault:
    """A variable of a function that can be made wrong, and what then happens.

    `queue` is where the events go on which the function failed for good, if it takes events.
    """

    part: str
    function: str
    variable: str
    consequence: str
    queue: str | None


FAULTS = (
    Fault(
        "image_api",
        f"image_api-{STAGE}-process",
        "DESTINATION_BUCKET",
        "Renditions go to a bucket that does not exist: uploads are taken, and stay pending.",
        f"image-api-{STAGE}-failures",
    ),
    Fault(
        "crud_api",
        f"crud_api-{STAGE}",
        "ITEMS_TABLE",
        "Items are looked for in a table that does not exist: every request is answered with 5xx.",
        None,
    ),
)


@dataclass(frozen=True)
class State:
    """A fault as it is now.

    `reserved` is the function's concurrency, None where it has no limit of its own; `waiting` the
    number of events in the queue, None where there is no queue; `command` switches the fault.
    """

    fault: Fault
    broken: bool
    reserved: int | None
    waiting: int | None
    command: str


class NoSuchFault(Exception):
    """There is no fault of that name, or the function is not deployed; the message says which."""


def states(emulator: Emulator) -> list[State]:
    """Every fault whose function is deployed."""
    functions = client(emulator, "lambda", WORKLOAD_ACCOUNT)
    pages = functions.get_paginator("list_functions").paginate()
    deployed = {found["FunctionName"] for page in pages for found in page["Functions"]}
    return [_state(emulator, fault) for fault in FAULTS if fault.function in deployed]


def switch(emulator: Emulator, function: str, *, broken: bool) -> State:
    """Break the function, or repair it; done already is done. Raises NoSuchFault."""
    functions = client(emulator, "lambda", WORKLOAD_ACCOUNT)
    fault = next((fault for fault in FAULTS if fault.function == function), None)
    if fault is None:
        raise NoSuchFault(f"{function!r} cannot be broken here.")
    try:
        variables = _variables(functions, fault)
    except functions.exceptions.ResourceNotFoundException:
        raise NoSuchFault(f"{function} is not deployed.") from None
    functions.update_function_configuration(
        FunctionName=function,
        Environment={"Variables": _switched(variables, fault, broken=broken)},
    )
    return _state(emulator, fault)


def redrive(emulator: Emulator, function: str) -> State:
    """Have the events processed again on which the function failed for good. Raises NoSuchFault."""
    fault = next((fault for fault in FAULTS if fault.function == function), None)
    if fault is None or fault.queue is None:
        raise NoSuchFault(f"{function!r} has no queue of failed events.")
    queues = client(emulator, "sqs", WORKLOAD_ACCOUNT)
    try:
        url = queues.get_queue_url(QueueName=fault.queue)["QueueUrl"]
    except queues.exceptions.QueueDoesNotExist:
        raise NoSuchFault(f"{function} is not deployed.") from None
    app = f"{fault.part}-{STAGE}"
    put_back(queues, client(emulator, "lambda", WORKLOAD_ACCOUNT), url, app, lambda _: None)
    return _state(emulator, fault)


def _state(emulator: Emulator, fault: Fault) -> State:
    functions = client(emulator, "lambda", WORKLOAD_ACCOUNT)
    variables = _variables(functions, fault)
    broken = variables[fault.variable].startswith(WRONG)
    reserved = functions.get_function_concurrency(FunctionName=fault.function)
    environment = json.dumps({"Variables": _switched(variables, fault, broken=not broken)})
    command = (
        f"aws lambda update-function-configuration --function-name {fault.function} "
        f"--environment {shlex.quote(environment)}"
    )
    limit = reserved.get("ReservedConcurrentExecutions")
    return State(fault, broken, limit, _waiting(emulator, fault), command)


def _waiting(emulator: Emulator, fault: Fault) -> int | None:
    if fault.queue is None:
        return None
    queues = client(emulator, "sqs", WORKLOAD_ACCOUNT)
    count = "ApproximateNumberOfMessages"
    url = queues.get_queue_url(QueueName=fault.queue)["QueueUrl"]
    attributes = queues.get_queue_attributes(QueueUrl=url, AttributeNames=[count])["Attributes"]
    return int(attributes[count])


def _variables(functions: Any, fault: Fault) -> dict[str, str]:
    described = functions.get_function_configuration(FunctionName=fault.function)
    variables: dict[str, str] = described["Environment"]["Variables"]
    return variables


def _switched(variables: dict[str, str], fault: Fault, *, broken: bool) -> dict[str, str]:
    right = variables[fault.variable].removeprefix(WRONG)
    return variables | {fault.variable: WRONG + right if broken else right}
