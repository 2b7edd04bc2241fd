"""Composite alarms: their CloudFormation type, and the suppressor of their actions.

AWS: while the suppressor alarm is in ALARM, and for the wait and extension periods around that, the
composite alarm changes its state but takes no action, and its event says by what it is suppressed.
Source: Amazon CloudWatch user guide, "Suppressing composite alarm actions",
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create_Composite_Alarm_Suppression.html.

MiniStack 1.5.33: has the API and follows the children, but no CloudFormation type, and ignores the
suppressor.

The filler: AWS::CloudWatch::CompositeAlarm by way of PutCompositeAlarm, and `suppression`, which
the alarm engine asks when a composite alarm changes. The periods are divided by the scale given to
`install`. Actions that were held back are not taken later.
"""

from __future__ import annotations

import json
import time
from typing import Any

from ministack.services import cloudwatch
from ministack.services.cloudformation import provisioners

from monitoring.semantics.composite_rules import name_of, suppressed_by
from sandbox.gaps.resource_types import ResourceType, register

SUPPRESSOR = (
    "ActionsSuppressor",
    "ActionsSuppressorWaitPeriod",
    "ActionsSuppressorExtensionPeriod",
)

_put_composite_alarm = cloudwatch._put_composite_alarm
_scale = 1.0
# When each alarm last left ALARM, by its ARN.
_released: dict[str, float] = {}


def install(*, period_scale: float) -> None:
    """Add the CloudFormation type, and keep suppressors."""
    global _scale
    _scale = period_scale
    cloudwatch._put_composite_alarm = put_composite_alarm
    register(
        "AWS::CloudWatch::CompositeAlarm",
        ResourceType(create, delete, update, replaced_by=("AlarmName",)),
    )


def reset() -> None:
    """Forget when alarms were released."""
    _released.clear()


def put_composite_alarm(
    params: dict[str, Any], data: dict[str, Any], is_cbor: bool, is_json: bool = False
) -> tuple[int, dict[str, Any], bytes]:
    """PutCompositeAlarm, with a suppressor."""
    response: tuple[int, dict[str, Any], bytes] = _put_composite_alarm(
        params, data, is_cbor, is_json
    )
    if response[0] == 200 and data:
        kept = {name: data[name] for name in SUPPRESSOR if data.get(name) is not None}
        cloudwatch._composite_alarms[data["AlarmName"]].update(kept)
    return response


def suppression(alarm: dict[str, Any]) -> dict[str, str]:
    """What the event of a composite alarm's change says of its suppressor; {} where it acts."""
    if not alarm.get("ActionsSuppressor"):
        return {}
    name = name_of(alarm["ActionsSuppressor"])
    suppressor = cloudwatch._alarms.get(name) or cloudwatch._composite_alarms.get(name)
    if suppressor is None:
        return {}
    now = time.time()
    by = suppressed_by(
        suppressor=suppressor["StateValue"],
        changed=now,
        released=_released.get(suppressor["AlarmArn"]),
        now=now,
        wait=float(alarm.get("ActionsSuppressorWaitPeriod") or 0) / _scale,
        extension=float(alarm.get("ActionsSuppressorExtensionPeriod") or 0) / _scale,
    )
    if by is None:
        return {}
    return {
        "actionsSuppressedBy": by,
        "actionsSuppressedReason": f"Actions suppressed by {by}",
    }


def note_release(alarm: dict[str, Any], old_state: str, new_state: str) -> None:
    """Remember when an alarm leaves ALARM: it may be a suppressor."""
    if old_state == "ALARM" and new_state != "ALARM":
        _released[alarm["AlarmArn"]] = time.time()


def configuration(alarm: dict[str, Any]) -> dict[str, Any]:
    """How an event describes the suppressor of a composite alarm."""
    return {name[0].lower() + name[1:]: alarm[name] for name in SUPPRESSOR if name in alarm}


def create(
    logical_id: str, properties: dict[str, Any], stack_name: str
) -> tuple[str, dict[str, Any]]:
    """Create the alarm; Ref is its name. Raises ValueError where CloudWatch refuses it."""
    name = properties.get("AlarmName") or provisioners._physical_name(
        stack_name, logical_id, max_len=255
    )
    return name, put(name, properties)


def update(name: str, properties: dict[str, Any]) -> dict[str, Any]:
    """Change the alarm in place."""
    return put(name, properties)


def delete(name: str, _properties: dict[str, Any]) -> None:
    """Delete the alarm."""
    cloudwatch._composite_alarms.pop(name, None)


def put(name: str, properties: dict[str, Any]) -> dict[str, Any]:
    """Put the alarm by the API's own code; its attributes for GetAtt."""
    # CloudFormation's own tags, which nobody else may set, are among those of the stack.
    data = {key: value for key, value in properties.items() if key != "Tags"} | {"AlarmName": name}
    for member in SUPPRESSOR[1:]:
        if member in data:
            data[member] = int(data[member])
    status, _, body = put_composite_alarm({}, data, is_cbor=False, is_json=True)
    if status != 200:
        raise ValueError(json.loads(body).get("message", "PutCompositeAlarm failed"))
    arn = cloudwatch._composite_alarms[name]["AlarmArn"]
    tags = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", ())}
    cloudwatch._resource_tags[arn] = tags
    return {"Arn": arn}
