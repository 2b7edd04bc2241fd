"""The stages of a usage plan, changed one by one.

AWS: UpdateUsagePlan takes a stage into a plan by the operation `add` on `/apiStages` with the value
`API:STAGE`, and out of it by `remove`. Source: Amazon API Gateway API reference, "Patch
operations", https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html.

MiniStack 1.5.33: puts the value in the place of the list.

The filler: these two operations.
"""

from __future__ import annotations

from typing import Any

from ministack.services import apigateway_v1

_update_usage_plan = apigateway_v1._update_usage_plan


def install() -> None:
    """Take over the update of a usage plan."""
    apigateway_v1._update_usage_plan = update_usage_plan


def update_usage_plan(plan_id: str, data: dict[str, Any]) -> Any:
    """UpdateUsagePlan, with the stages of the plan as a list."""
    operations = data.get("patchOperations", [])
    plan = apigateway_v1._usage_plans.get(plan_id)
    for operation in operations if plan else ():
        if operation["path"] == "/apiStages":
            api_id, _, stage = operation["value"].partition(":")
            others = [
                attached
                for attached in plan.get("apiStages", [])
                if (attached["apiId"], attached["stage"]) != (api_id, stage)
            ]
            added = [{"apiId": api_id, "stage": stage}] if operation["op"] == "add" else []
            plan["apiStages"] = others + added
    rest = [operation for operation in operations if operation["path"] != "/apiStages"]
    return _update_usage_plan(plan_id, {**data, "patchOperations": rest})
