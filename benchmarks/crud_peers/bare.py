"""The same two operations without a framework: a function, boto3, json."""

import json
import os
import uuid
from datetime import UTC, datetime
from typing import Any

import boto3

client = boto3.client("dynamodb")
TABLE = os.environ["ITEMS_TABLE"]


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001
    """Answer GET /items/{item_id} or POST /items."""
    item_id = (event["pathParameters"] or {}).get("item_id")
    if event["httpMethod"] == "GET":
        found = client.get_item(TableName=TABLE, Key={"id": {"S": item_id}}, ConsistentRead=True)
        if "Item" not in found:
            return answer(404, {"message": "not found"})
        return answer(200, document(found["Item"]))
    content = json.loads(event["body"])
    record = new_record(content)
    client.put_item(TableName=TABLE, Item=record, ConditionExpression="attribute_not_exists(id)")
    return answer(201, document(record))


def answer(status: int, body: object) -> dict[str, Any]:
    """Return a response as API Gateway takes it."""
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps(body),
    }


def new_record(content: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes of a new item."""
    now = datetime.now(UTC).isoformat()
    return {
        "id": {"S": str(uuid.uuid4())},
        "name": {"S": content["name"]},
        "description": {"S": content.get("description", "")},
        "tags": {"L": [{"S": tag} for tag in content.get("tags", [])]},
        "attributes": {"S": json.dumps(content.get("attributes", {}))},
        "revision": {"S": uuid.uuid4().hex},
        "created_at": {"S": now},
        "updated_at": {"S": now},
    }


def document(record: dict[str, Any]) -> dict[str, Any]:
    """Return the representation of an item."""
    return {
        "id": record["id"]["S"],
        "name": record["name"]["S"],
        "description": record["description"]["S"],
        "tags": [tag["S"] for tag in record["tags"]["L"]],
        "attributes": json.loads(record["attributes"]["S"]),
        "created_at": record["created_at"]["S"],
        "updated_at": record["updated_at"]["S"],
    }
