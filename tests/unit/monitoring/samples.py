"""Services as `monitoring.inventory` reads them, and a Chalice project to read."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import strategies

from monitoring import thresholds
from monitoring.inventory import Function, Queue, RestApi, Service, Table

THRESHOLDS = thresholds.load()

SERVICES = (
    Service(
        name="image_api",
        functions=(
            Function("api_handler", "image_api-prod", 29, asynchronous=False),
            Function("process", "image_api-prod-process", 120, asynchronous=True),
        ),
        rest_api=RestApi("image_api", "api"),
        queues=(Queue("Failures", "image-api-prod-failures", "dead-letters", "process"),),
        owner="image-team",
    ),
    Service(
        name="crud_api",
        functions=(Function("api_handler", "crud_api-prod", 20, asynchronous=False),),
        rest_api=RestApi("crud_api", "api"),
        tables=(Table("Items", "crud-api-prod-items", ("newest",)),),
        owner="items-team",
    ),
)

APP = """
import os
from chalice import Chalice

if os.environ["OPEN"] != "true":
    raise ValueError("a stage that is not open needs more variables, recorded at its deployment")
app = Chalice(app_name="shop")
print("an import may print")


@app.route("/")
def index():
    return {}


@app.on_s3_event(bucket=os.environ["BUCKET"], name="process")
def process(event):
    pass
"""

RESOURCES = """
from troposphere import GetAtt, Ref, Sub, Template, awslambda, dynamodb, sqs


def template() -> Template:
    result = Template()
    failures = result.add_resource(
        sqs.Queue("Failures", QueueName=Sub("${AWS::StackName}-failures"))
    )
    result.add_resource(sqs.Queue("Jobs", QueueName=Sub("${AWS::StackName}-jobs")))
    result.add_resource(
        dynamodb.Table(
            "Orders",
            TableName=Sub("${AWS::StackName}-orders"),
            AttributeDefinitions=[
                dynamodb.AttributeDefinition(AttributeName="id", AttributeType="S")
            ],
            KeySchema=[dynamodb.KeySchema(AttributeName="id", KeyType="HASH")],
            BillingMode="PAY_PER_REQUEST",
        )
    )
    result.add_resource(
        awslambda.EventInvokeConfig(
            "ProcessInvokeConfig",
            FunctionName="shop-prod-process",
            Qualifier="$LATEST",
            DestinationConfig=awslambda.DestinationConfig(
                OnFailure=awslambda.OnFailure(Destination=GetAtt(failures, "Arn"))
            ),
        )
    )
    return result
"""

CONFIG = {
    "version": "2.0",
    "app_name": "shop",
    "autogen_policy": False,
    "lambda_timeout": 29,
    "api_gateway_stage": "api",
    "environment_variables": {"OPEN": "false"},
    "stages": {
        "local": {"environment_variables": {"OPEN": "true", "BUCKET": "local-bucket"}},
        "prod": {
            "lambda_functions": {"process": {"lambda_timeout": 120, "reserved_concurrency": 9}}
        },
    },
}


def chalice_project(directory: Path, app: str = APP, resources: str = RESOURCES) -> Path:
    """Write a Chalice project that has an API, an S3 event, a table and queues."""
    (directory / ".chalice").mkdir(parents=True)
    (directory / ".chalice" / "config.json").write_text(json.dumps(CONFIG))
    (directory / "app.py").write_text(app)
    (directory / "resources.py").write_text(resources)
    return directory


_names = strategies.from_regex(r"[a-z][a-z0-9_]{0,11}", fullmatch=True)


@strategies.composite
def services(draw: strategies.DrawFn) -> tuple[Service, ...]:
    """Up to three services with up to three functions each, at least one of them asynchronous."""
    result = []
    for name in draw(strategies.lists(_names, min_size=1, max_size=3, unique=True)):
        keys = draw(strategies.lists(_names, min_size=1, max_size=3, unique=True))
        functions = tuple(
            Function(
                key,
                f"{name}-prod-{key}",
                draw(strategies.integers(1, 900)),
                asynchronous=(not result and number == 0) or draw(strategies.booleans()),
            )
            for number, key in enumerate(keys)
        )
        queues = tuple(
            Queue(f"{function.key}Failed", f"{function.name}-failed", "dead-letters", function.key)
            for function in functions
            if function.asynchronous and draw(strategies.booleans())
        )
        api = RestApi(name, "api") if draw(strategies.booleans()) else None
        tables = (Table("Items", f"{name}-items"),) if draw(strategies.booleans()) else ()
        result.append(Service(name, functions, api, tables, queues, owner="a-team"))
    return tuple(result)
