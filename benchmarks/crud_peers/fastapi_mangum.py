"""The same two operations on FastAPI with Mangum, with a model that validates the body."""

from typing import Any

from fastapi import FastAPI, HTTPException
from mangum import Mangum
from pydantic import BaseModel, ConfigDict, Field

from benchmarks.crud_peers.bare import TABLE, client, document, new_record

app = FastAPI()


class Content(BaseModel):
    """What a client sends."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=200)
    description: str = Field("", max_length=4000)
    tags: list[str] = Field([], max_length=20)
    attributes: dict[str, Any] = {}


# Coroutines: one request at a time is what a function has, and a thread for each costs more.
@app.get("/items/{item_id}")
async def get_item(item_id: str) -> dict[str, Any]:
    """Get an item."""
    found = client.get_item(TableName=TABLE, Key={"id": {"S": item_id}}, ConsistentRead=True)
    if "Item" not in found:
        raise HTTPException(404)
    return document(found["Item"])


@app.post("/items", status_code=201)
async def create_item(content: Content) -> dict[str, Any]:
    """Create an item."""
    record = new_record(content.model_dump())
    client.put_item(TableName=TABLE, Item=record, ConditionExpression="attribute_not_exists(id)")
    return document(record)


handler = Mangum(app, lifespan="off")
