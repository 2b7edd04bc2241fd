"""Changes to a template, as somebody might make them."""

from __future__ import annotations

import copy
from typing import Any

UPDATE = ("UpdatePolicy", "AutoScalingRollingUpdate")


def with_value(body: dict[str, Any], value: Any, resource: str, *path: str | int) -> dict[str, Any]:
    """The template with one value of a resource replaced."""
    changed = copy.deepcopy(body)
    target = changed["Resources"][resource]
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    return changed


def with_property(body: dict[str, Any], resource: str, name: str, value: Any) -> dict[str, Any]:
    """The template with one property of a resource replaced, or taken away where it is None."""
    changed = copy.deepcopy(body)
    properties = changed["Resources"][resource]["Properties"]
    properties[name] = value
    if value is None:
        del properties[name]
    return changed


def without(body: dict[str, Any], *resources: str) -> dict[str, Any]:
    """The template without some resources."""
    changed = copy.deepcopy(body)
    for resource in resources:
        del changed["Resources"][resource]
    return changed


def with_resource(
    body: dict[str, Any], name: str, kind: str, properties: dict[str, Any]
) -> dict[str, Any]:
    """The template with one more resource."""
    changed = copy.deepcopy(body)
    changed["Resources"][name] = {"Type": kind, "Properties": properties}
    return changed


def with_spot(body: dict[str, Any], *, base: int, percent: int) -> dict[str, Any]:
    """The template with a mixed instances policy."""
    changed = copy.deepcopy(body)
    properties = changed["Resources"]["Group"]["Properties"]
    specification = properties.pop("LaunchTemplate")
    properties["MixedInstancesPolicy"] = {
        "InstancesDistribution": {
            "OnDemandBaseCapacity": base,
            "OnDemandPercentageAboveBaseCapacity": percent,
        },
        "LaunchTemplate": {
            "LaunchTemplateSpecification": specification,
            "Overrides": [{"InstanceType": "t4g.small"}, {"InstanceType": "c7g.xlarge"}],
        },
    }
    return changed
