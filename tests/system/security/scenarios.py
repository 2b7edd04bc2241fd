"""Everything the deployed functions do, one operation at a time; Refused is raised on failure.

A scenario prepares what it needs as the administrator, so that it asks of a role nothing but what
the operation itself asks.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx

from benchmarks.photograph import photograph
from image_api.chalicelib import identifiers, keys
from tests.system.security.deployed import MONITORING, Api, Deployed, Refused, until

Scenario = Callable[[], object]

PHOTOGRAPH = photograph(64, 48)


def of_items(api: Api, deployed: Deployed, table: str) -> dict[str, Scenario]:
    """The scenarios of the items API, which keeps its items in a table."""

    def create(**members: Any) -> tuple[str, str]:
        created = api.call("POST", "/items", {"name": "a", **members}, expect=201)
        return f"/items/{created.json()['id']}", created.headers["ETag"]

    def listing() -> None:
        tag = uuid.uuid4().hex
        for _ in range(2):
            create(tags=[tag])
        page = api.call("GET", f"/items?limit=1&tag={tag}").json()
        if len(page["items"]) != 1:
            raise Refused(f"the page has {page['items']}")
        following = api.call("GET", f"/items?limit=1&tag={tag}&cursor={page['next']}").json()
        if len(following["items"]) != 1:
            raise Refused(f"the next page has {following['items']}")

    def create_once() -> None:
        key = uuid.uuid4().hex
        for _ in range(2):
            api.call("POST", "/items", {"name": "a"}, expect=201, Idempotency_Key=key)

    def read() -> None:
        path, _ = create()
        api.call("GET", path)
        api.call("GET", f"/items/{uuid.uuid4()}", expect=404)

    def replace() -> None:
        path, etag = create(tags=["a"])
        # Several ETags: which one it is has to be read.
        api.call("PUT", path, {"name": "b", "tags": ["b"]}, If_Match=f'{etag}, "other"')

    def create_under() -> None:
        api.call("PUT", f"/items/{uuid.uuid4()}", {"name": "a"}, expect=201, If_None_Match="*")

    def patch_name() -> None:
        path, etag = create()
        api.call("PATCH", path, {"name": "b"}, If_Match=etag)
        api.call("PATCH", path, {"name": "c"}, expect=412, If_Match=etag)

    def patch_tags() -> None:
        path, etag = create(tags=["a"])
        api.call("PATCH", path, {"tags": ["b"]}, If_Match=etag)

    def delete() -> None:
        path, _ = create(tags=["a"])
        api.call("DELETE", path, expect=204)
        # The tag has a row of its own, which goes after the item.
        rows = deployed.client("dynamodb").scan(
            TableName=table,
            FilterExpression="begins_with(id, :id)",
            ExpressionAttributeValues={":id": {"S": path.rpartition("/")[2] + "#"}},
        )["Items"]
        if rows:
            raise Refused(f"left in the table: {rows}")
        api.call("DELETE", path, expect=404)

    def delete_if() -> None:
        path, etag = create(tags=["a"])
        api.call("DELETE", path, expect=204, If_Match=f'{etag}, "other"')

    def batch(*, atomic: bool) -> None:
        path, etag = create(tags=["a"])
        other, _ = create(tags=["a"])
        done = api.call(
            "POST",
            f"/items:batch?atomic={str(atomic).lower()}",
            {
                "operations": [
                    {"op": "create", "item": {"name": "d", "tags": ["t"]}},
                    {
                        "op": "replace",
                        "id": path.rpartition("/")[2],
                        "if_match": "*" if atomic else f'{etag}, "other"',
                        "item": {"name": "e"},
                    },
                    {"op": "delete", "id": other.rpartition("/")[2]},
                ][: 2 if atomic else 3]
            },
        ).json()
        for result in done["results"]:
            if result["status"] >= 400:
                raise Refused(f"of a batch: {result}", result.get("problem"))

    return {
        "create": lambda: create(tags=["a"]),
        "create once": create_once,
        "read": read,
        "list": listing,
        "replace": replace,
        "create under an id": create_under,
        "patch name": patch_name,
        "patch tags": patch_tags,
        "delete": delete,
        "delete if": delete_if,
        "batch": partial(batch, atomic=False),
        "atomic batch": partial(batch, atomic=True),
    }


@dataclass
class Images:
    """The image API and what stands behind it."""

    deployed: Deployed
    api: Api
    environment: Mapping[str, str]
    failures: str
    prefix: str
    manifest: bytes = b""
    gone: set[str] = field(default_factory=set)

    def scenarios(self) -> dict[str, Scenario]:
        """Those of the API; `process` must not run meanwhile, see `paused`."""
        return {
            "upload": self.upload,
            "upload by form": self.upload_by_form,
            "show": self.show,
            "list": lambda: self.api.call("GET", "/images"),
            "delete": self.delete,
        }

    def of_process(self) -> dict[str, Scenario]:
        """Those of the function that S3 starts."""
        return {"process": self.process, "process a removal": self.process_removal}

    def of_reprocess(self) -> dict[str, Scenario]:
        """Those of the function that S3 Batch Operations starts."""
        return {"reprocess": self.reprocess, "reprocess a removal": self.reprocess_removal}

    @property
    def s3(self) -> Any:
        return self.deployed.client("s3")

    def put_source(self) -> str:
        image_id = identifiers.new_id()
        self.s3.put_object(
            Bucket=self.environment["SOURCE_BUCKET"],
            Key=keys.source(image_id),
            Body=PHOTOGRAPH,
            ContentType="image/jpeg",
        )
        return image_id

    def put_results(self, image_id: str) -> None:
        """Put a rendition and a manifest as `process` makes them."""
        version = self.s3.head_object(
            Bucket=self.environment["SOURCE_BUCKET"], Key=keys.source(image_id)
        ).get("VersionId", "null")
        document = json.loads(self.manifest)
        key = f"{keys.renditions(image_id)}{uuid.uuid4().hex}.jpg"
        document["origin"]["version"] = version
        document["renditions"] = [{**document["renditions"][0], "key": key}]
        for name, body in ((key, PHOTOGRAPH), (keys.manifest(image_id), json.dumps(document))):
            self.s3.put_object(Bucket=self.environment["DESTINATION_BUCKET"], Key=name, Body=body)

    def results(self, image_id: str) -> list[str]:
        return [
            entry["Key"]
            for prefix in (keys.renditions(image_id), keys.manifest(image_id))
            for entry in self.s3.list_objects_v2(
                Bucket=self.environment["DESTINATION_BUCKET"], Prefix=prefix
            ).get("Contents", [])
        ]

    def is_made(self, image_id: str) -> bool:
        """Whether an image is ready. Raises Refused: its event is in the failure queue."""
        self.look_for_failure(image_id)
        if keys.manifest(image_id) not in self.results(image_id):
            return False
        body = self.s3.get_object(
            Bucket=self.environment["DESTINATION_BUCKET"], Key=keys.manifest(image_id)
        )["Body"].read()
        made = bool(json.loads(body)["status"] == "ready")
        if made:
            self.manifest = body
        return made

    def look_for_failure(self, image_id: str) -> None:
        sqs = self.deployed.client("sqs")
        for message in sqs.receive_message(QueueUrl=self.failures, MaxNumberOfMessages=10).get(
            "Messages", []
        ):
            record = json.loads(message["Body"])["requestPayload"]["Records"][0]
            self.gone.add(keys.image_id(record["s3"]["object"]["key"]) or "")
            sqs.delete_message(QueueUrl=self.failures, ReceiptHandle=message["ReceiptHandle"])
        if image_id in self.gone:
            raise Refused("the event is in the failure queue")

    def upload(self) -> None:
        posted = self.api.call(
            "POST", "/images", content=PHOTOGRAPH, expect=202, Content_Type="image/jpeg"
        )
        self.api.call("GET", f"/images/{posted.json()['id']}")

    def upload_by_form(self) -> None:
        form = self.api.call("POST", "/uploads", expect=201).json()
        sent = httpx.post(form["url"], data=form["fields"], files={"file": PHOTOGRAPH}, timeout=60)
        if sent.status_code != 204:
            raise Refused(f"the form: {sent.text}")

    def show(self) -> None:
        image_id = self.put_source()
        self.put_results(image_id)
        shown = self.api.call("GET", f"/images/{image_id}").json()
        fetched = httpx.get(shown["renditions"][0]["url"], timeout=60)
        if fetched.status_code != 200:
            raise Refused(f"the URL of a rendition: {fetched.text}")
        self.api.call("GET", f"/images/{identifiers.new_id()}", expect=404)

    def delete(self) -> None:
        image_id = self.put_source()
        self.put_results(image_id)
        self.api.call("DELETE", f"/images/{image_id}", expect=204)
        if left := self.results(image_id):
            raise Refused(f"a deletion leaves {left}")
        self.api.call("DELETE", f"/images/{image_id}", expect=404)

    def process(self) -> None:
        image_id = self.put_source()
        until(lambda: self.is_made(image_id))

    def process_removal(self) -> None:
        image_id = self.put_source()
        until(lambda: self.is_made(image_id))
        self.s3.delete_object(Bucket=self.environment["SOURCE_BUCKET"], Key=keys.source(image_id))

        def is_gone() -> bool:
            self.look_for_failure(image_id)
            return not self.results(image_id)

        until(is_gone)

    def process_failure(self) -> None:
        """An event that cannot be done: the destination refuses the manifest."""
        bucket = self.environment["DESTINATION_BUCKET"]
        policy = self.s3.get_bucket_policy(Bucket=bucket)["Policy"]
        document = json.loads(policy)
        document["Statement"].append(
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:PutObject",
                "Resource": f"arn:aws:s3:::{bucket}/*",
            }
        )
        self.s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(document))
        try:
            image_id = self.put_source()
            until(lambda: self.has_failed(image_id), "the event is not in the failure queue")
        finally:
            self.s3.put_bucket_policy(Bucket=bucket, Policy=policy)

    def has_failed(self, image_id: str) -> bool:
        try:
            self.look_for_failure(image_id)
        except Refused:
            return True
        return False

    def reprocess(self) -> None:
        image_id = self.put_source()
        self.invoke_reprocess(image_id)
        if len(self.results(image_id)) < 2:
            raise Refused("nothing was made")
        self.invoke_reprocess(image_id)

    def reprocess_removal(self) -> None:
        image_id = self.put_source()
        self.put_results(image_id)
        self.s3.delete_object(Bucket=self.environment["SOURCE_BUCKET"], Key=keys.source(image_id))
        self.invoke_reprocess(image_id)
        if left := self.results(image_id):
            raise Refused(f"left: {left}")

    def invoke_reprocess(self, image_id: str) -> None:
        event = {
            "invocationSchemaVersion": "2.0",
            "invocationId": uuid.uuid4().hex,
            "job": {"id": "job"},
            "tasks": [
                {
                    "taskId": "task",
                    "s3Bucket": self.environment["SOURCE_BUCKET"],
                    "s3Key": keys.source(image_id),
                }
            ],
        }
        answer = self.deployed.client("lambda").invoke(
            FunctionName=f"{self.prefix}-reprocess", Payload=json.dumps(event)
        )
        document = json.loads(answer["Payload"].read())
        if "FunctionError" in answer or document["results"][0]["resultCode"] != "Succeeded":
            raise Refused(f"reprocess: {document}")


@dataclass
class Actions:
    """The automated actions of the monitoring account."""

    deployed: Deployed
    outputs: Mapping[str, str]
    function: str
    queue: str
    alarm: str = "privilege"

    def scenarios(self) -> dict[str, Scenario]:
        """What is done about an alarm, directly and by the queue."""
        return {
            "start": self.start,
            "cap": partial(self.act, "cap"),
            "cap what has a limit": self.cap_limited,
            "incident": partial(self.act, "incident"),
            "redrive": self.redrive,
            "remind": self.remind,
            "actions' queue": self.by_queue,
        }

    def put_alarm(self) -> None:
        """Make the alarm that the messages name, and one that reminds."""
        cloudwatch = self.deployed.client("cloudwatch", MONITORING)
        cloudwatch.put_metric_alarm(
            AlarmName=self.alarm,
            Namespace="Test",
            MetricName="Nothing",
            Statistic="Sum",
            Period=86400,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
            TreatMissingData="ignore",
        )
        cloudwatch.put_composite_alarm(
            AlarmName=f"{self.alarm}-all", AlarmRule=f'ALARM("{self.alarm}")'
        )

    def set_state(self, state: str) -> None:
        self.deployed.client("cloudwatch", MONITORING).set_alarm_state(
            AlarmName=self.alarm, StateValue=state, StateReason="test"
        )

    def message(self, action: str) -> dict[str, Any]:
        return {
            "action": action,
            "alarm": self.alarm,
            "service": "image_api",
            "function": self.function,
            "queue": self.queue,
            "runbook": "docs/runbooks/error-rate.md",
        }

    def handle(self, message: Mapping[str, Any]) -> None:
        """Have the function handle a message. Raises Refused: it is to be tried again."""
        event = {"Records": [{"messageId": "m", "body": json.dumps(message)}]}
        answer = self.deployed.client("lambda", MONITORING).invoke(
            FunctionName=self.outputs["ActionFunctionName"], Payload=json.dumps(event)
        )
        document = json.loads(answer["Payload"].read())
        if "FunctionError" in answer or document["batchItemFailures"]:
            raise Refused(f"{message['action']}: {document}")

    def forget(self) -> None:
        """Forget what the actions remember of their targets."""
        dynamodb = self.deployed.client("dynamodb", MONITORING)
        table = self.outputs["ActionsTableName"]
        for target in (self.function, "image_api"):
            for action in ("cap", "incident", "redrive"):
                dynamodb.delete_item(TableName=table, Key={"id": {"S": f"{action}#{target}"}})

    def act(self, action: str, concurrency: int | None = None) -> None:
        self.forget()
        self.limit(concurrency)
        message = self.message(action)
        if action == "incident":
            message.pop("function")
        self.set_state("ALARM")
        self.handle(message)
        self.set_state("OK")
        self.handle(message)

    def limit(self, concurrency: int | None) -> None:
        """Give the function its reserved concurrency; None: none."""
        client = self.deployed.client("lambda")
        if concurrency is None:
            client.delete_function_concurrency(FunctionName=self.function)
            return
        client.put_function_concurrency(
            FunctionName=self.function, ReservedConcurrentExecutions=concurrency
        )

    def cap_limited(self) -> None:
        self.act("cap", 5)
        answer = self.deployed.client("lambda").get_function_concurrency(FunctionName=self.function)
        self.limit(None)
        if answer.get("ReservedConcurrentExecutions") != 5:
            raise Refused(f"the concurrency was not given back: {answer}")

    def redrive(self) -> None:
        self.forget()
        # An event that process has nothing to do for.
        record = {"requestContext": {}, "requestPayload": {"Records": []}}
        self.deployed.client("sqs").send_message(
            QueueUrl=self.queue, MessageBody=json.dumps(record)
        )
        self.set_state("OK")
        self.handle(self.message("redrive"))
        self.set_state("ALARM")
        self.handle(self.message("redrive"))

    def start(self) -> None:
        """The first message of a new environment."""
        self.deployed.start_afresh(self.outputs["ActionFunctionName"], MONITORING)
        self.remind()

    def remind(self) -> None:
        self.set_state("ALARM")
        alarms = [f"{self.alarm}-all"]
        cloudwatch = self.deployed.client("cloudwatch", MONITORING)
        until(
            lambda: cloudwatch.describe_alarms(
                AlarmNames=alarms, AlarmTypes=["CompositeAlarm"], StateValue="ALARM"
            )["CompositeAlarms"]
        )
        self.handle({"action": "remind", "service": "image_api", "alarms": alarms})

    def by_queue(self) -> None:
        """A message that names no alarm there is: the function takes it from the queue."""
        sqs = self.deployed.client("sqs", MONITORING)
        url = self.outputs["ActionsQueueUrl"]
        self.set_state("OK")
        # Nothing is to be done: it goes at once.
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(self.message("cap")))

        def taken() -> bool:
            name = "ApproximateNumberOfMessages"
            attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])
            return int(attributes["Attributes"][name]) == 0

        until(taken, "the message stays in the queue")


def log_of(deployed: Deployed, function: str, account: str, use: Scenario) -> Scenario:
    """The scenario that what a function does is in its log."""

    def scenario() -> None:
        before = time.time() * 1000
        use()
        until(
            lambda: deployed.client("logs", account).filter_log_events(
                logGroupName=f"/aws/lambda/{function}", startTime=int(before), limit=1
            )["events"],
            f"{function} has no log",
        )

    return scenario
