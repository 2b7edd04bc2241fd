"""Remembers what the actions did, in one DynamoDB table, and keeps their budgets.

To begin is one transaction: it claims the target and charges the budget together or not at all, so
no storm of events and no crash makes an action begin twice or beyond its budget. Source: Amazon
DynamoDB developer guide, "Amazon DynamoDB Transactions: How it works",
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html.
"""

from __future__ import annotations

import json
from typing import Any, Literal

from .entries import Entry, day

Begun = Literal["begun", "taken", "over budget"]

KEPT = 400 * 86_400
"""Seconds that records are kept: more than a year, to compare with the last one."""

MOST_ENTRIES = 100
"""Entries of a note: a storm must not make it larger than an item of DynamoDB can be."""


class Ledger:
    """The table `table`; `client` is boto3's dynamodb client."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def get(self, action: str, target: str) -> Entry | None:
        """Return what is remembered of an action on a target."""
        item = self._client.get_item(
            TableName=self._table, Key=_key(_id(action, target)), ConsistentRead=True
        ).get("Item")
        return _entry(item) if item else None

    def begin(self, entry: Entry, previous: Entry | None, budget: int) -> Begun:
        """Claim the target and charge the budget of the day.

        `previous` is what `get` returned: where somebody else began since, it is "taken".
        """
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(id)"}
        if previous is not None:
            condition = {
                "ConditionExpression": "#since = :since AND #status = :status",
                "ExpressionAttributeNames": {"#since": "since", "#status": "status"},
                "ExpressionAttributeValues": {
                    ":since": {"N": str(previous.since)},
                    ":status": {"S": previous.status},
                },
            }
        charge = {
            "TableName": self._table,
            "Key": _key(f"budget#{entry.action}#{day(entry.since)}"),
            "UpdateExpression": "ADD #spent :one SET expires = :expires",
            "ConditionExpression": "attribute_not_exists(#spent) OR #spent < :budget",
            "ExpressionAttributeNames": {"#spent": "spent"},
            "ExpressionAttributeValues": {
                ":one": {"N": "1"},
                ":budget": {"N": str(budget)},
                ":expires": {"N": str(entry.since + KEPT)},
            },
        }
        put = {"TableName": self._table, "Item": _item(entry), **condition}
        if budget < 1:
            return "over budget"
        try:
            self._client.transact_write_items(TransactItems=[{"Put": put}, {"Update": charge}])
        except self._client.exceptions.TransactionCanceledException as error:
            claimed, charged = (reason["Code"] for reason in error.response["CancellationReasons"])
            if claimed == "ConditionalCheckFailed":
                return "taken"
            if charged == "ConditionalCheckFailed":
                return "over budget"
            raise  # a conflict with another one: the message is tried again
        return "begun"

    def put(self, entry: Entry) -> None:
        """Remember what an action has come to."""
        self._client.put_item(TableName=self._table, Item=_item(entry))

    def record(self, record: dict[str, Any], identifier: str, now: int) -> None:
        """Keep the record of something done."""
        item = _key(f"record#{now}#{identifier}") | {
            "record": {"S": json.dumps(record)},
            "expires": {"N": str(now + KEPT)},
        }
        self._client.put_item(TableName=self._table, Item=item)

    def note(self, identifier: str, text: str, now: int) -> None:
        """Add a line to an incident's note; it is made where it is missing."""
        try:
            self._client.update_item(
                TableName=self._table,
                Key=_key(f"note#{identifier}"),
                UpdateExpression="SET #lines = list_append(if_not_exists(#lines, :none), :line), "
                "expires = :expires",
                ConditionExpression="attribute_not_exists(#lines) OR size(#lines) < :most",
                ExpressionAttributeNames={"#lines": "lines"},
                ExpressionAttributeValues={
                    ":none": {"L": []},
                    ":line": {"L": [{"S": text}]},
                    ":most": {"N": str(MOST_ENTRIES)},
                    ":expires": {"N": str(now + KEPT)},
                },
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return  # the note is full: the records have the rest

    def lines(self, identifier: str) -> list[str]:
        """Return the lines of an incident's note."""
        item = self._client.get_item(
            TableName=self._table, Key=_key(f"note#{identifier}"), ConsistentRead=True
        ).get("Item", {})
        return [line["S"] for line in item.get("lines", {"L": []})["L"]]


def _id(action: str, target: str) -> str:
    return f"{action}#{target}"


def _key(identifier: str) -> dict[str, Any]:
    return {"id": {"S": identifier}}


def _item(entry: Entry) -> dict[str, Any]:
    return _key(_id(entry.action, entry.target)) | {
        "action": {"S": entry.action},
        "target": {"S": entry.target},
        "alarm": {"S": entry.alarm},
        "status": {"S": entry.status},
        "since": {"N": str(entry.since)},
        "until": {"N": str(entry.until)},
        "dry_run": {"BOOL": entry.dry_run},
        "remembered": {"S": json.dumps(entry.remembered, sort_keys=True)},
    }


def _entry(item: dict[str, Any]) -> Entry:
    return Entry(
        action=item["action"]["S"],
        target=item["target"]["S"],
        alarm=item["alarm"]["S"],
        status=item["status"]["S"],
        since=int(item["since"]["N"]),
        until=int(item["until"]["N"]),
        dry_run=item["dry_run"]["BOOL"],
        remembered=json.loads(item["remembered"]["S"]),
    )
