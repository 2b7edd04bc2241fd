"""The DynamoDB table of items. Every write carries its condition, so no update is ever lost."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import botocore.exceptions

from . import records
from .items import Content, Item
from .pages import SHARDS, Page, merge
from .preconditions import EntityTags
from .records import Record

INDEX_NAME = "newest"

ROUNDS = 4
"""How often one request asks the shards while it looks for items with a tag."""

ROUND_SECONDS = 8.0
"""No further round begins after this time, so that a slow table cannot use up the 29 seconds."""

TAG_READ = 250
"""Items read from a shard in a round while looking for a tag: bounds the cost of a rare one."""

# The throttles of "Error handling with DynamoDB", which are 400s. botocore has retried them by now.
_THROTTLES = frozenset(
    {"ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException"}
)


class ConditionFailedError(Exception):
    """The condition of a write did not hold.

    `current` is the stored item (None: there is none). `retried` says that botocore had sent the
    write before, so that an earlier try may have landed without its answer arriving.
    """

    def __init__(self, current: Item | None, *, retried: bool) -> None:
        super().__init__("the condition of the write did not hold")
        self.current = current
        self.retried = retried


class ItemTooLargeError(ValueError):
    """The item would be larger than DynamoDB stores; `size` is its size in bytes."""

    def __init__(self, size: int) -> None:
        super().__init__(f"{size:,} bytes; {records.MAX_BYTES:,} is the most")
        self.size = size


class TableUnavailableError(Exception):
    """DynamoDB throttled the request, failed or could not be reached, retries included."""


class ItemTable:
    """The items of one table. `client` is a boto3 DynamoDB client; it may be shared by threads."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name
        self._shards = ThreadPoolExecutor(SHARDS, thread_name_prefix="shard")

    def get(self, item_id: str) -> Item | None:
        """Return the item as the last completed write left it, or None."""
        response = self._call("get_item", Key=_key(item_id), ConsistentRead=True)
        return records.item_of(response["Item"]) if "Item" in response else None

    def create(self, item: Item) -> Item:
        """Store a new item. ConditionFailedError where its ID is taken, ItemTooLargeError."""
        record = records.record_of_item(item)
        _check_size(record)
        try:
            self._call(
                "put_item",
                Item=record,
                ConditionExpression="attribute_not_exists(id)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ConditionFailedError as error:
            return _own_write(error, item.revision)
        return item

    def replace(
        self, item_id: str, content: Content, revision: str, updated_at: str, if_match: EntityTags
    ) -> Item:
        """Replace the content of an existing item whose revision meets `if_match`.

        ConditionFailedError where it does not or there is no item, ItemTooLargeError.
        """
        changes = {
            **records.record_of_content(content),
            "revision": {"S": revision},
            "updated_at": {"S": updated_at},
        }
        # The version and the time of creation, unknown here, have the same size in every item.
        written = Item(item_id, content, 0, revision, created_at=updated_at, updated_at=updated_at)
        _check_size(records.record_of_item(written))
        condition, values = _condition(if_match)
        assignments = [f"#{name} = :{name}" for name in changes]
        try:
            response = self._call(
                "update_item",
                Key=_key(item_id),
                UpdateExpression=f"SET {', '.join(assignments)} ADD version :one",
                ConditionExpression=condition,
                # Some of the names are reserved words of expressions.
                ExpressionAttributeNames={f"#{name}": name for name in changes},
                ExpressionAttributeValues={
                    **{f":{name}": value for name, value in changes.items()},
                    ":one": {"N": "1"},
                    **values,
                },
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ConditionFailedError as error:
            return _own_write(error, revision)
        return records.item_of(response["Attributes"])

    def delete(self, item_id: str, if_match: EntityTags) -> None:
        """Delete the item whose revision meets `if_match`; ConditionFailedError as in `replace`."""
        condition, values = _condition(if_match)
        try:
            self._call(
                "delete_item",
                Key=_key(item_id),
                ConditionExpression=condition,
                # DynamoDB refuses an empty map.
                **({"ExpressionAttributeValues": values} if values else {}),
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ConditionFailedError as error:
            # The first try deleted it and its answer was lost. Either way the item is gone.
            if error.current is not None or not error.retried:
                raise

    def page(self, after: str | None, limit: int, tag: str | None) -> Page:
        """Return up to `limit` items older than the position `after`, newest first.

        Only those with `tag`, where it is given; the page may then be short or empty although
        `next` is not None, because one call reads a bounded number of items. The index follows
        writes within moments (eventual consistency).
        """
        starts = dict.fromkeys(range(SHARDS), after)
        found: list[Item] = []
        begun = time.monotonic()
        for _ in range(ROUNDS):
            answers = self._shards.map(
                lambda shard, start: self._query(shard, start, limit, tag),
                starts.keys(),
                starts.values(),
            )
            unfinished = {}
            for shard, (items, last) in zip(starts, answers, strict=True):
                found += items
                if last is not None:
                    unfinished[shard] = last
            page = merge(found, unfinished.values(), limit)
            if len(page.items) == limit or not unfinished:
                break
            if time.monotonic() - begun > ROUND_SECONDS:
                break
            starts = dict(unfinished)
        return page

    def _query(
        self, shard: int, after: str | None, limit: int, tag: str | None
    ) -> tuple[list[Item], str | None]:
        """Return items of one shard and the position read up to (None: to the end)."""
        key, values = "#shard = :shard", {":shard": {"N": str(shard)}}
        names = {"#shard": records.SHARD}
        if after is not None:
            key += " AND #position < :after"
            names["#position"] = records.POSITION
            values[":after"] = {"S": after}
        options: dict[str, Any] = {}
        if tag is not None:
            options["FilterExpression"] = "contains(tags, :tag)"
            values[":tag"] = {"S": tag}
        response = self._call(
            "query",
            IndexName=INDEX_NAME,
            KeyConditionExpression=key,
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=values,
            ScanIndexForward=False,
            # One more than the page holds tells "just full" from "more to come".
            Limit=limit + 1 if tag is None else TAG_READ,
            **options,
        )
        last = response.get("LastEvaluatedKey")
        items = [records.item_of(record) for record in response["Items"]]
        return items, last and last[records.POSITION]["S"]

    def _call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        try:
            response: dict[str, Any] = getattr(self._client, operation)(
                TableName=self._name, **parameters
            )
        except botocore.exceptions.ClientError as error:
            code, metadata = error.response["Error"]["Code"], error.response["ResponseMetadata"]
            if code == "ConditionalCheckFailedException":
                record = error.response.get("Item")
                raise ConditionFailedError(
                    records.item_of(record) if record else None,
                    retried=metadata["RetryAttempts"] > 0,
                ) from error
            if code in _THROTTLES or metadata["HTTPStatusCode"] >= 500:
                raise TableUnavailableError(f"{operation}: {code}") from error
            raise
        except (
            botocore.exceptions.ConnectionError,
            botocore.exceptions.HTTPClientError,
        ) as error:
            raise TableUnavailableError(f"{operation}: {error}") from error
        return response


def _key(item_id: str) -> Record:
    return {records.KEY: {"S": item_id}}


def _check_size(record: Record) -> None:
    size = records.stored_bytes(record)
    if size > records.MAX_BYTES:
        raise ItemTooLargeError(size)


def _condition(if_match: EntityTags) -> tuple[str, Record]:
    """Return the condition expression of If-Match, with its values."""
    if if_match.any_tag:
        return "attribute_exists(id)", {}
    # Weak tags never match here, so there may be none left; no revision is empty.
    revisions = sorted(if_match.strong) or [""]
    values = {f":match{index}": {"S": revision} for index, revision in enumerate(revisions)}
    return f"revision IN ({', '.join(values)})", values


def _own_write(error: ConditionFailedError, revision: str) -> Item:
    """Return the stored item where it is this very write: botocore repeated one that had landed."""
    if error.current is not None and error.current.revision == revision:
        return error.current
    raise error
