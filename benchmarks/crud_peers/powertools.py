"""The same two operations on Powertools' resolver; what touches DynamoDB is the bare handler's."""

from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError

from benchmarks.crud_peers.bare import TABLE, client, document, new_record

app = APIGatewayRestResolver()


@app.get("/items/<item_id>")
def get_item(item_id: str) -> dict[str, Any]:
    """Get an item."""
    found = client.get_item(TableName=TABLE, Key={"id": {"S": item_id}}, ConsistentRead=True)
    if "Item" not in found:
        raise NotFoundError
    return document(found["Item"])


@app.post("/items")
def create_item() -> Response[Any]:
    """Create an item."""
    record = new_record(app.current_event.json_body)
    client.put_item(TableName=TABLE, Item=record, ConditionExpression="attribute_not_exists(id)")
    return Response(201, "application/json", document(record))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer an event of API Gateway."""
    return app.resolve(event, context)
