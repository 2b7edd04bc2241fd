import os
import sys
from pathlib import Path

import pytest

from monitoring import alarms, inventory
from tests.unit.monitoring import samples


def test_reads_what_would_be_deployed(tmp_path: Path) -> None:
    service = inventory.read(samples.chalice_project(tmp_path / "shop"), "prod")
    assert service == inventory.Service(
        name="shop",
        functions=(
            inventory.Function("api_handler", "shop-prod", 29, asynchronous=False),
            inventory.Function("process", "shop-prod-process", 120, True, 9),
        ),
        rest_api=inventory.RestApi("shop", "api"),
        tables=(inventory.Table("Orders", "shop-prod-orders"),),
        queues=(
            inventory.Queue("Failures", "shop-prod-failures", "dead-letters", "process"),
            inventory.Queue("Jobs", "shop-prod-jobs"),
        ),
    )


def test_names_and_time_outs_are_the_stages(tmp_path: Path) -> None:
    service = inventory.read(samples.chalice_project(tmp_path / "shop"), "local")
    assert [(function.name, function.timeout_seconds) for function in service.functions] == [
        ("shop-local", 29),
        ("shop-local-process", 29),
    ]


@pytest.mark.parametrize(
    ("added", "asynchronous"),
    [
        ("@app.schedule('rate(1 hour)', name='added')\ndef added(event):\n    pass\n", True),
        ("@app.on_sns_message(topic='news', name='added')\ndef added(event):\n    pass\n", True),
        ("@app.lambda_function(name='added')\ndef added(event, context):\n    pass\n", False),
        ("@app.on_sqs_message(queue='q', name='added')\ndef added(event):\n    pass\n", False),
        (
            (
                "@app.authorizer(name='added')\ndef added(request):\n    pass\n\n\n"
                "@app.route('/private', authorizer=added)\ndef private():\n    return {}\n"
            ),
            False,
        ),
    ],
)
def test_a_function_added_to_an_app_is_watched(
    tmp_path: Path, added: str, asynchronous: bool
) -> None:
    before = inventory.read(samples.chalice_project(tmp_path / "before"), "prod")
    project = samples.chalice_project(tmp_path / "after", f"{samples.APP}\n\n{added}")
    after = inventory.read(project, "prod")

    new = {alarm.name("prod") for alarm in alarms.of(after, samples.THRESHOLDS)} - {
        alarm.name("prod") for alarm in alarms.of(before, samples.THRESHOLDS)
    }
    conditions = {"error-rate", "throttles", "duration", "concurrency"} | (
        {"event-age", "events-dropped", "failures-lost"} if asynchronous else set()
    )
    assert new == {f"monitoring-prod/shop/added/{condition}" for condition in conditions}


def operation(**properties: object) -> dict[str, object]:
    return {
        "Globals": {"Function": {"Timeout": 29}},
        "Resources": {"GetOrder": {"Type": "AWS::Serverless::Function", "Properties": properties}},
    }


def test_functions_of_operations_are_watched() -> None:
    service = inventory.with_operations(
        inventory.Service("shop"),
        operation(FunctionName="shop-prod-get_order", ReservedConcurrentExecutions=7),
        "shop-prod-",
    )
    assert service.functions == (
        inventory.Function("get_order", "shop-prod-get_order", 29, False, 7),
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (operation(), "has no FunctionName of its own"),
        (operation(FunctionName={"Ref": "Name"}), "has no FunctionName of its own"),
        (operation(FunctionName="get_order"), "does not begin with shop-prod-"),
        (
            {"Resources": {"Jobs": {"Type": "AWS::SQS::Queue", "Properties": {}}}},
            "belongs into resources.py",
        ),
        (
            {"Resources": {"Flow": {"Type": "AWS::StepFunctions::StateMachine"}}},
            "belongs into resources.py",
        ),
    ],
)
def test_an_operation_that_could_not_be_watched_fails_the_build(
    body: dict[str, object], message: str
) -> None:
    with pytest.raises(inventory.InventoryError, match=message):
        inventory.with_operations(inventory.Service("shop"), body, "shop-prod-")


def test_the_repositorys_apps_are_read() -> None:
    watched = {
        service.name: {function.key: function.asynchronous for function in service.functions}
        for service in (inventory.read(project, "local") for project in inventory.projects())
    }
    assert watched["image_api"]["process"] is True
    assert watched["image_api"]["api_handler"] is watched["crud_api"]["api_handler"] is False


@pytest.mark.parametrize(
    ("added", "alarms_of_it"),
    [
        (
            'sqs.Queue("Added", QueueName=Sub("${AWS::StackName}-added"))',
            {"shop/Added/depth", "shop/Added/message-age"},
        ),
        (
            (
                'dynamodb.Table("Added", TableName=Sub("${AWS::StackName}-a"), '
                'KeySchema=[dynamodb.KeySchema(AttributeName="id", KeyType="HASH")], '
                "AttributeDefinitions=[dynamodb.AttributeDefinition("
                'AttributeName="id", AttributeType="S")], BillingMode="PAY_PER_REQUEST")'
            ),
            {"shop/Added/table-throttles", "shop/Added/system-errors"},
        ),
    ],
)
def test_a_queue_or_table_added_to_a_template_is_watched(
    tmp_path: Path, added: str, alarms_of_it: set[str]
) -> None:
    resources = samples.RESOURCES.replace(
        "    return result", f"    result.add_resource({added})\n    return result"
    )
    service = inventory.read(
        samples.chalice_project(tmp_path / "shop", resources=resources), "prod"
    )
    named = {alarm.name("prod") for alarm in alarms.of(service, samples.THRESHOLDS)}
    assert {f"monitoring-prod/{name}" for name in alarms_of_it} <= named


@pytest.mark.parametrize(
    ("added", "message"),
    [
        ('sqs.Queue("Nameless")', r"shop: Nameless \(AWS::SQS::Queue\) has no QueueName"),
        (
            'sqs.Queue("Random", QueueName=Sub("q-${AWS::AccountId}"))',
            "depends on nothing but the stack's name",
        ),
        (
            '__import__("troposphere.kinesis").kinesis.Stream("Stream", ShardCount=1)',
            r"shop: Stream \(AWS::Kinesis::Stream\) has no alarms",
        ),
    ],
)
def test_what_cannot_be_watched_is_an_error(tmp_path: Path, added: str, message: str) -> None:
    resources = samples.RESOURCES.replace(
        "    return result", f"    result.add_resource({added})\n    return result"
    )
    project = samples.chalice_project(tmp_path / "shop", resources=resources)
    with pytest.raises(inventory.InventoryError, match=message):
        inventory.read(project, "prod")


def test_every_template_of_a_project_is_read(tmp_path: Path) -> None:
    more = (
        "\n\ndef later() -> Template:\n    result = Template()\n"
        '    result.add_resource(sqs.Queue("Later", QueueName=Sub("${AWS::StackName}-q")))\n'
        "    return result\n"
    )
    project = samples.chalice_project(tmp_path / "shop", resources=samples.RESOURCES + more)
    assert inventory.Queue("Later", "shop-later-prod-q") in inventory.read(project, "prod").queues


def test_a_service_without_an_owner_is_an_error() -> None:
    with pytest.raises(
        inventory.InventoryError, match=r"shop has no owner: name one in monitoring"
    ):
        inventory.owned([inventory.Service("shop")], {"other": "a-team"})


def test_every_project_and_stack_here_has_an_owner() -> None:
    assert {project.name for project in inventory.projects()} <= set(inventory.owners())


def test_reading_leaves_this_process_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BUCKET", raising=False)
    modules = set(sys.modules)
    one = samples.chalice_project(tmp_path / "one")
    two = samples.chalice_project(tmp_path / "two", samples.APP.replace('"shop"', '"stock"'))
    # Both are the module `app` in their own process.
    assert inventory.read(one, "prod").name == "shop"
    assert inventory.read(two, "prod").rest_api == inventory.RestApi("shop", "api")
    assert "BUCKET" not in os.environ
    assert not {"app", "chalicelib"} & (set(sys.modules) - modules)


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda path: (path / ".chalice" / "config.json").unlink(), "no Chalice project"),
        (lambda path: (path / ".chalice" / "config.json").write_text("{"), "not JSON"),
        (lambda path: (path / "app.py").write_text("import no_such_module"), "no_such_module"),
    ],
)
def test_a_broken_project_is_named_in_one_line(tmp_path: Path, break_it, message: str) -> None:
    project = samples.chalice_project(tmp_path / "shop")
    break_it(project)
    with pytest.raises(inventory.InventoryError, match=message) as caught:
        inventory.read(project, "prod")
    assert str(project) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_stage_is_named_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(
        inventory.InventoryError, match=r"no stage 'test' \(its stages: local, prod"
    ):
        inventory.read(samples.chalice_project(tmp_path / "shop"), "test")
