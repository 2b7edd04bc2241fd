"""A custom resource that could not be created.

AWS: where the provider answers Create with FAILED, the rollback sends it a Delete with the
physical id of that answer, for what it may have begun. Source: AWS CloudFormation user guide,
"Custom resource request and response reference",
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html.

MiniStack 1.5.33: forgets the resource.

The filler: that Delete, at once instead of in the rollback; where it fails, too, the log says so
and the rollback goes on.
"""

from __future__ import annotations

from typing import Any

from ministack.services.cloudformation import custom_resource

_invoke = custom_resource.invoke_custom_resource
_deliver = custom_resource.deliver_response

# The physical ids of answers with FAILED, by stack and logical id.
_failed: dict[tuple[str, str], str] = {}


def install() -> None:
    """Look at the answers, and at what becomes of a request."""
    custom_resource.invoke_custom_resource = invoke
    custom_resource.deliver_response = deliver


def deliver(token: str, response: dict[str, Any]) -> bool:
    """Take a provider's answer; remember the physical id of one that failed."""
    if response.get("Status") == "FAILED" and response.get("PhysicalResourceId"):
        resource = str(response.get("StackId")), str(response.get("LogicalResourceId"))
        _failed[resource] = str(response["PhysicalResourceId"])
    return bool(_deliver(token, response))


def invoke(
    request_type: str,
    logical_id: str,
    properties: dict[str, Any],
    stack_name: str,
    stack_id: str,
    resource_type: str,
    physical_id: str | None = None,
    old_props: dict[str, Any] | None = None,
) -> Any:
    """Send a request and wait for the answer. Raises what the emulator does for a failure."""
    resource = stack_name, stack_id, resource_type
    try:
        return _invoke(request_type, logical_id, properties, *resource, physical_id, old_props)
    except RuntimeError:
        begun = _failed.pop((stack_id, logical_id), None)
        if request_type == "Create" and begun is not None:
            delete(logical_id, properties, resource, begun)
        raise


def delete(
    logical_id: str, properties: dict[str, Any], resource: tuple[str, str, str], begun: str
) -> None:
    """Have the provider take back what it began."""
    try:
        _invoke("Delete", logical_id, properties, *resource, begun)
    except (RuntimeError, TimeoutError, ValueError) as error:
        custom_resource.logger.warning("%s could not be deleted: %s", logical_id, error)
    _failed.pop((resource[1], logical_id), None)
