from __future__ import annotations


def test_stages_come_into_a_plan_and_out_of_it(aws, unique):
    client = aws.client("apigateway")
    plan = client.create_usage_plan(name=unique)["id"]

    def stages(operation, value):
        change = {"op": operation, "path": "/apiStages", "value": value}
        client.update_usage_plan(usagePlanId=plan, patchOperations=[change])
        found = client.get_usage_plan(usagePlanId=plan).get("apiStages", [])
        return [(stage["apiId"], stage["stage"]) for stage in found]

    assert stages("add", "a1:api") == [("a1", "api")]
    assert stages("add", "b2:api") == [("a1", "api"), ("b2", "api")]
    assert stages("remove", "a1:api") == [("b2", "api")]
    client.delete_usage_plan(usagePlanId=plan)
