"""Lifecycle hooks of launches, which keep an instance out of service until somebody is done.

AWS: an instance of a group with launch hooks waits in Pending:Wait until each is completed or its
heartbeat time-out has passed, which `RecordLifecycleActionHeartbeat` begins anew. With CONTINUE, or
a time-out of a hook with that default result, it is registered with the group's load balancers and
in service; with ABANDON it is terminated. Nobody can complete what is over. Sources: Amazon EC2
Auto Scaling user guide, "How lifecycle hooks work in Amazon EC2 Auto Scaling groups",
https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks-overview.html, and "Complete a
lifecycle action in an Auto Scaling group",
https://docs.aws.amazon.com/autoscaling/ec2/userguide/completing-lifecycle-hooks.html.

MiniStack 1.5.33: keeps hooks, but not those in a group's own properties, and takes any completion,
which has no effect.

The filler: keeps those, too. `begin` has an instance wait, which `instances` asks for where it
launches one. Time-outs are as long as in AWS. An action is named by its instance, not by a token;
nobody is notified, and terminations do not wait.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ministack.services import autoscaling

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.gaps.resource_types import Properties

LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"
CONTINUE, ABANDON = "CONTINUE", "ABANDON"
PAUSE = 0.05

# By the group's ARN, the hook's name and the instance's id.
_waiting: dict[tuple[str, str, str], Action] = {}
_lock = threading.Lock()


@dataclass
class Action:
    """What an instance waits for: a hook's completion, or the end of its time."""

    timeout: float
    default: str
    result: str = ""
    deadline: float = field(init=False)

    def __post_init__(self) -> None:
        self.beat()

    def beat(self) -> None:
        """Begin the time-out anew."""
        self.deadline = time.monotonic() + self.timeout

    def outcome(self) -> str:
        """CONTINUE or ABANDON once it is over, else nothing."""
        over = time.monotonic() >= self.deadline
        return self.result or (self.default if over else "")


def install() -> None:
    """Take over the actions on what waits."""
    autoscaling._ACTION_MAP["CompleteLifecycleAction"] = complete
    autoscaling._ACTION_MAP["RecordLifecycleActionHeartbeat"] = record_heartbeat


def keep(group: str, properties: Properties) -> None:
    """Keep the hooks that a group of CloudFormation has in its properties."""
    for hook in properties.get("LifecycleHookSpecificationList", []):
        name = hook["LifecycleHookName"]
        autoscaling._hooks[f"{group}/{name}"] = autoscaling._hook_record(group, name, hook)


def begin(record: dict[str, Any], instance: str) -> list[Action]:
    """Have an instance of the group wait; what it waits for, nothing where there is no hook."""
    actions = {
        (record["AutoScalingGroupARN"], hook["LifecycleHookName"], instance): Action(
            float(hook["HeartbeatTimeout"]), hook["DefaultResult"]
        )
        for hook in autoscaling._hooks.values()
        if hook["AutoScalingGroupName"] == record["AutoScalingGroupName"]
        and hook["LifecycleTransition"] == LAUNCHING
    }
    with _lock:
        _waiting.update(actions)
    return list(actions.values())


def wait(actions: list[Action], is_off: Callable[[], bool]) -> str:
    """Wait until all continue or one is abandoned; ABANDON, too, once `is_off`."""
    while True:
        outcomes = {action.outcome() for action in actions}
        if is_off():
            outcomes = {ABANDON}
        if ABANDON in outcomes or "" not in outcomes:
            with _lock:
                for key in [key for key, action in _waiting.items() if action in actions]:
                    del _waiting[key]
            return ABANDON if ABANDON in outcomes else CONTINUE
        time.sleep(PAUSE)


def complete(parameters: dict[str, Any]) -> Any:
    """End an instance's waiting for a hook."""
    result = autoscaling._p(parameters, "LifecycleActionResult")
    if result not in (CONTINUE, ABANDON):
        return autoscaling._error("ValidationError", f"{result} is not CONTINUE or ABANDON")
    action = _active(parameters)
    if action is None:
        return _none_active(parameters)
    action.result = result
    return autoscaling._complete_lifecycle_action(parameters)


def record_heartbeat(parameters: dict[str, Any]) -> Any:
    """Begin the time-out of a hook anew."""
    action = _active(parameters)
    if action is None:
        return _none_active(parameters)
    action.beat()
    return autoscaling._record_lifecycle_heartbeat(parameters)


def _active(parameters: dict[str, Any]) -> Action | None:
    group = autoscaling._asgs.get(autoscaling._p(parameters, "AutoScalingGroupName")) or {}
    hook = autoscaling._p(parameters, "LifecycleHookName")
    instance = autoscaling._p(parameters, "InstanceId")
    with _lock:
        action = _waiting.get((group.get("AutoScalingGroupARN", ""), hook, instance))
    return None if action is None or action.outcome() else action


def _none_active(parameters: dict[str, Any]) -> Any:
    instance = autoscaling._p(parameters, "InstanceId")
    return autoscaling._error(
        "ValidationError", f"No active Lifecycle Action found with instance ID {instance}"
    )
