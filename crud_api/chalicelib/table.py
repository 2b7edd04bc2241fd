"""The DynamoDB table of items. Every write carries its condition, so no update is ever lost."""

import logging
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

import botocore.exceptions

from . import clock, expressions, outcomes, records, retries
from .items import Changes, Item
from .outcomes import (
    ConditionFailedError,
    ConditionsFailedError,
    ItemTooLargeError,
    TransactionTooLargeError,
    Write,
)
from .pages import Entry, Page, newest
from .records import Record, Replay
from .retries import Deadline, UnavailableError
from .revisions import Revision, new_nonce
from .strict_json import dumps

INDEX_NAME = "newest"

MAX_TRANSACTION = 100
"""Actions in a transaction, and keys in a BatchGetItem ("Quotas in Amazon DynamoDB")."""

BATCH_WRITES = 25
"""Requests in a BatchWriteItem."""

WORKERS = 8
"""Requests that a batch sends at once."""

PAGE_BYTES = 1_000_000
"""When that much of a page has been read, no more is asked for: it would not fit the answer."""

Again: TypeAlias = Callable[[Sequence[Record]], Sequence[Record]]
"""Makes writes that may have been done, and returns those that are not."""

logger = logging.getLogger(__name__)


class ItemTable:
    """The items of one table. `client` is a boto3 DynamoDB client; it may be shared by threads.

    Its lists are spread over `shards` partitions of the index. `deadline` is that of the request
    the table is used for.
    """

    def __init__(
        self,
        client: Any,
        name: str,
        shards: int,
        deadline: Deadline | None = None,
        pool: ThreadPoolExecutor | None = None,
    ) -> None:
        self._client = client
        self._name = name
        self._shards = shards
        self._deadline = deadline
        self._pool = pool or ThreadPoolExecutor(max(shards, WORKERS), thread_name_prefix="table")

    def until(self, deadline: Deadline) -> "ItemTable":
        """Return the same table for a request that has to be answered by `deadline`."""
        return ItemTable(self._client, self._name, self._shards, deadline, self._pool)

    def get(self, item_id: str) -> Item | None:
        """Return the item as the last completed write left it, or None."""
        response, _ = self._call(
            "get_item",
            TableName=self._name,
            Key=records.key_of(item_id),
            ConsistentRead=True,
        )
        return records.item_or_none(response.get("Item", {}))

    def get_many(self, ids: Sequence[str]) -> dict[str, Item]:
        """Return the items of up to 100 IDs that there are, read as `get` does."""
        found: dict[str, Item] = {}
        for items, _ in self._reads(ids):
            found |= items
        return found

    def check_size(self, item: Item) -> None:
        """Raise ItemTooLargeError where DynamoDB would not store the item."""
        _check_size(records.record_of_item(item, self._shards))

    def write(self, write: Write) -> None:
        """Carry out one change, in one request.

        ConditionFailedError where the stored item is not the one expected; ItemTooLargeError.
        """
        self._check_sizes([write])
        if self._row_actions(write):
            try:
                self._transact([write], None)
            except ConditionsFailedError as error:
                raise ConditionFailedError(error.current[0]) from error
            return
        self._write_item(write)

    def _write_item(self, write: Write, *, unsure: bool = False) -> None:
        """Carry out a change, without the rows of the tag index.

        `unsure` says that an attempt of another kind may have done it.
        """
        [(kind, parameters)] = self._item_action(write).items()
        operation = {"Put": "put_item", "Update": "update_item"}[kind]
        try:
            self._call(operation, **parameters)
        except botocore.exceptions.ClientError as error:
            record = outcomes.failed_record(error)
            if not outcomes.was_done(write, record, unsure=unsure or error.unsure):
                raise ConditionFailedError(records.item_or_none(record)) from error

    def create(self, item: Item, replay: Replay | None) -> None:
        """Store a new item and, in the same request, the idempotency key it came with.

        ConditionFailedError, ItemTooLargeError as in `write`. KeyUsedError: the key has been used
        and has not expired. UnavailableError names action 0 in `conflicts` where another request
        with the same key is being carried out.
        """
        write = Write(item.id, item, None)
        if replay is None:
            self.write(write)
            return
        self._check_sizes([write])
        try:
            self._transact([write], replay)
        except ConditionsFailedError as error:
            raise ConditionFailedError(error.current[0]) from error

    def write_all(self, writes: Sequence[Write]) -> None:
        """Carry out up to 100 changes of different items, all or none.

        ConditionsFailedError: none was done. ItemTooLargeError: an item is, or all together are.
        """
        self._check_sizes(writes)
        self._transact(writes, None)

    def create_many(self, items: Sequence[Item]) -> set[str]:
        """Store new items under IDs nobody else knows, and return the IDs of those not stored.

        Each has passed `check_size`. The rows of the index come first: one that leads to no item
        is no harm, but an item that is not listed would be.
        """
        rows = [record for item in items for record in records.records_of_tags(item, self._shards)]
        missed = {
            request["PutRequest"]["Item"][records.KEY]["S"].partition("#")[0]
            for request in self._batch([{"PutRequest": {"Item": row}} for row in rows])
        }
        listed = {item.id: item for item in items if item.id not in missed}

        def again(requests: Sequence[Record]) -> Sequence[Record]:
            """Make writes that may have been done, which need a condition now."""
            return [
                request
                for request in requests
                if not self._created(listed[request["PutRequest"]["Item"][records.KEY]["S"]])
            ]

        left = self._batch(
            [
                {"PutRequest": {"Item": records.record_of_item(item, self._shards)}}
                for item in listed.values()
            ],
            again,
        )
        return missed | {request["PutRequest"]["Item"][records.KEY]["S"] for request in left}

    def takes(self, changes: Changes) -> bool:
        """Whether `update` may have room for the changes."""
        patch = changes.attributes_patch
        if patch is None:
            return True
        return records.patch_size(dumps(dict(patch))) <= records.MAX_PATCHES_BYTES

    def update(self, item_id: str, expected: Revision | None, changes: Changes) -> Item:
        """Change a part of an item in one request, of any revision where `expected` is None.

        Returns the item whole. `changes.tags`, where they are set, are those it has.
        ConditionFailedError as in `write`, and also where it holds but the item has to be written
        whole: it has no room for a patch more, or its tags are others.
        """
        begun = clock.now()
        nonce = new_nonce()
        updated_at = clock.text_of(begun)
        parameters = expressions.change(item_id, expected, changes, nonce, updated_at)
        try:
            response, _ = self._call(
                "update_item",
                TableName=self._name,
                # Of any revision is also of the one that an attempt has made.
                repeatable=expected is not None,
                ReturnValues="ALL_NEW",
                **parameters,
            )
        except UnavailableError as error:
            if expected is not None or not error.unsure:
                raise
            current = self._look(item_id, error)
            if current is not None and current.revision.nonce == nonce:
                return current
            if current is None or not outcomes.is_older(current.updated_at, begun):
                raise outcomes.unknown_outcome() from error
            raise ConditionFailedError(current) from error
        except botocore.exceptions.ClientError as error:
            if "maximum allowed size" in str(error):
                raise ConditionFailedError(self.get(item_id)) from error
            current = records.item_or_none(outcomes.failed_record(error))
            if current is not None and current.revision.nonce == nonce:
                return current
            # Where the item is still the one expected, only room was wanting, and nothing was done.
            if error.unsure and (current is None or current.revision != expected):
                raise outcomes.unknown_outcome() from error
            raise ConditionFailedError(current) from error
        return records.item_of(response["Attributes"])

    def delete_any(self, item_id: str) -> bool:
        """Delete the item whatever its revision; False where there is none.

        Its rows in the index go in a request of their own, because only the answer names them; a
        row that stays leads to no item and is not shown.
        """
        begun = clock.now()
        try:
            response, _ = self._call(
                "update_item",
                TableName=self._name,
                repeatable=False,
                ReturnValues="ALL_OLD",
                **expressions.deletion(item_id, None),
            )
        except UnavailableError as error:
            if not error.unsure:
                raise
            return self._delete_again(item_id, begun, error)
        except botocore.exceptions.ClientError as error:
            outcomes.failed_record(error)
            return False
        self._delete_rows(records.item_or_none(response["Attributes"]))
        return True

    def page(self, after: str | None, limit: int, tag: str | None) -> Page:
        """Return up to `limit` (at most 100) items older than the position `after`, newest first.

        Only those with `tag`, where it is given. The page is shorter where it would be large, or
        where items went while it was read. The index follows writes within moments (eventual
        consistency); the items shown are as the last completed write left them.
        """
        found = self._pool.map(
            lambda shard: self._query(records.list_partition(shard, tag), after, limit + 1),
            range(self._shards),
        )
        entries, following = newest(found, limit)
        items: dict[str, Item] = {}
        for part, unread in self._reads([entry.item_id for entry in entries]):
            items |= part
            ready = next(
                (number for number, entry in enumerate(entries) if entry.item_id in unread), None
            )
            size = sum(len(str(item.content.attributes)) for item in items.values())
            if ready and size > PAGE_BYTES:
                following = entries[ready - 1].position
                entries = entries[:ready]
                break
        shown = (items[entry.item_id] for entry in entries if _leads_to(entry, items, tag))
        return Page(tuple(shown), following)

    def _query(self, partition: str, after: str | None, limit: int) -> list[Entry]:
        """Return the newest entries of one partition of a list that are older than `after`."""
        condition, values = "#list = :list", {":list": {"S": partition}}
        names = {"#list": records.LIST}
        if after is not None:
            condition += " AND #position < :after"
            names["#position"] = records.POSITION
            values[":after"] = {"S": after}
        response, _ = self._call(
            "query",
            TableName=self._name,
            IndexName=INDEX_NAME,
            KeyConditionExpression=condition,
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=values,
            ScanIndexForward=False,
            Limit=limit,
        )
        return [
            Entry(record[records.POSITION]["S"], record[records.KEY]["S"])
            for record in response["Items"]
        ]

    def _reads(self, ids: Sequence[str]) -> Iterator[tuple[dict[str, Item], set[str]]]:
        """Read items until all are, and yield after each request what it gave and what is left.

        DynamoDB leaves keys for another request when the answer has 16 MB or it is throttled.
        """
        left = set(ids)
        attempt = 0
        while left:
            keys = [records.key_of(item_id) for item_id in left]
            response, _ = self._call(
                "batch_get_item",
                RequestItems={self._name: {"Keys": keys, "ConsistentRead": True}},
            )
            rows = response["Responses"][self._name]
            unread = response.get("UnprocessedKeys", {}).get(self._name, {}).get("Keys", ())
            left = {key[records.KEY]["S"] for key in unread}
            yield {item.id: item for item in map(records.item_or_none, rows) if item}, left
            attempt = 0 if rows else attempt + 1
            if left and not rows and not retries.pause(attempt - 1, self._until()):
                raise UnavailableError("batch_get_item: unprocessed keys", unsure=False)

    def _batch(self, requests: Sequence[Record], again: Again | None = None) -> list[Record]:
        """Send the requests of BatchWriteItem, and return those that DynamoDB did not process.

        Those of an attempt that may have been carried out are left to `again`, where it is given.
        """
        chunks = [
            requests[start : start + BATCH_WRITES]
            for start in range(0, len(requests), BATCH_WRITES)
        ]
        parts = self._pool.map(lambda chunk: self._batch_chunk(chunk, again), chunks)
        return [left for part in parts for left in part]

    def _batch_chunk(self, requests: Sequence[Record], again: Again | None) -> Sequence[Record]:
        attempt = 0
        while requests:
            try:
                response, _ = self._call(
                    "batch_write_item",
                    repeatable=again is None,
                    RequestItems={self._name: list(requests)},
                )
            except UnavailableError as error:
                if again is not None and error.unsure:
                    return again(requests)
                logger.warning("%d writes of a batch are not done", len(requests), exc_info=True)
                return requests
            left = response.get("UnprocessedItems", {}).get(self._name, [])
            attempt = 0 if len(left) < len(requests) else attempt + 1
            requests = left
            # Also after progress: what is left was throttled.
            if requests and not retries.pause(attempt, self._until()):
                break
        return requests

    def _created(self, item: Item) -> bool:
        """Store a new item unless it is there or was, and tell whether that is known."""
        if not self._until().allows(retries.ATTEMPT_SECONDS):
            return False
        try:
            self._write_item(Write(item.id, item, None), unsure=True)
        except UnavailableError:
            logger.warning("a write of a batch is not done", exc_info=True)
            return False
        return True

    def _transact(self, writes: Sequence[Write], replay: Replay | None) -> None:
        """Carry out the writes, all or none, and store `replay` with them."""
        row_actions = [action for write in writes for action in self._row_actions(write)]
        actions = [self._item_action(write) for write in writes]
        if replay is not None:
            key = expressions.key_creation(replay)
            actions.insert(0, {"Put": {"TableName": self._name, **key}})
        whole = len(actions) + len(row_actions) <= MAX_TRANSACTION
        if not whole:
            # An item and its rows need not change at once: an item counts with the rows that
            # its revision names. New rows come before it, old ones go after it.
            self._put_rows(action["Put"]["Item"] for action in row_actions if "Put" in action)
        try:
            self._call(
                "transact_write_items",
                TransactItems=actions + row_actions if whole else actions,
                # A transaction that is sent again is not carried out again (10 minutes).
                ClientRequestToken=uuid.uuid4().hex,
            )
        except botocore.exceptions.ClientError as error:
            outcomes.raise_conditions(error, writes, replay)
        if not whole:
            self._remove_rows(
                action["Delete"]["Key"] for action in row_actions if "Delete" in action
            )

    def _item_action(self, write: Write) -> dict[str, dict[str, Any]]:
        """Return the action that stores or deletes the item, on the condition of the write."""
        if write.item is None:
            deletion = expressions.deletion(write.item_id, write.expected)
            return {"Update": {"TableName": self._name, **deletion}}
        record = records.record_of_item(write.item, self._shards)
        if write.expected is None:
            parameters = expressions.creation(record)
        else:
            parameters = expressions.replacement(record, write.expected)
        return {"Put": {"TableName": self._name, **parameters}}

    def _row_actions(self, write: Write) -> list[dict[str, dict[str, Any]]]:
        """Return the actions that give the item the rows of its tags and take the old ones away."""
        old = None if write.expected is None else write.expected.rows
        new = None if write.item is None else write.item.revision.rows
        if old == new:
            return []
        added = records.records_of_tags(write.item, self._shards) if write.item else []
        removed = records.tag_rows(write.item_id, old) if old else []
        return [
            *({"Put": {"TableName": self._name, "Item": record}} for record in added),
            *({"Delete": {"TableName": self._name, "Key": records.key_of(row)}} for row in removed),
        ]

    def _delete_again(self, item_id: str, begun: int, failure: UnavailableError) -> bool:
        """Delete the item that an attempt at `begun` may have deleted, if it is still that item."""
        attempt = 0
        current = self._look(item_id, failure)
        while current is not None:
            if not outcomes.is_older(current.created_at, begun):
                # It may be another item, created after the attempt deleted the one there was.
                raise outcomes.unknown_outcome() from failure
            try:
                self.write(Write(item_id, None, current.revision))
            except ConditionFailedError as error:
                if not retries.pause(attempt, self._until()):
                    raise UnavailableError("update_item: changed again", unsure=True) from None
                attempt += 1
                current = error.current
            else:
                return True
        return True

    def _look(self, item_id: str, failure: UnavailableError) -> Item | None:
        """Return the item as it is after a write that may have been done, if there is time."""
        if not self._until().allows(retries.ATTEMPT_SECONDS):
            raise failure
        return self.get(item_id)

    def _delete_rows(self, item: Item | None) -> None:
        rows = records.tag_rows(item.id, item.revision.rows) if item else ()
        self._remove_rows(map(records.key_of, rows))

    def _put_rows(self, rows: Iterable[Record]) -> None:
        if self._batch([{"PutRequest": {"Item": row}} for row in rows]):
            raise UnavailableError("batch_write_item: unprocessed rows", unsure=False)

    def _remove_rows(self, keys: Iterable[Record]) -> None:
        """Delete rows that lead to no item any more.

        Left over they do no harm, and the write they belong to is done: nothing is raised.
        """
        try:
            left = self._batch([{"DeleteRequest": {"Key": key}} for key in keys])
        except retries.FAILURES:
            logger.exception("rows of the index are left over")
            return
        if left:
            logger.warning("%d rows of the index are left over", len(left))

    def _check_sizes(self, writes: Sequence[Write]) -> None:
        stored = [
            records.record_of_item(write.item, self._shards) for write in writes if write.item
        ]
        total = sum(_check_size(record) for record in stored)
        if len(writes) > 1 and total > outcomes.MAX_TRANSACTION_BYTES:
            raise TransactionTooLargeError(total)

    def _until(self) -> Deadline:
        return self._deadline or Deadline.of(None)

    def _call(self, operation: str, **parameters: Any) -> tuple[Any, bool]:
        return retries.call(self._client, operation, self._until(), **parameters)


def _check_size(record: Record) -> int:
    size = records.stored_bytes(record)
    if size > records.MAX_BYTES:
        raise ItemTooLargeError(size)
    return size


def _leads_to(entry: Entry, items: Mapping[str, Item], tag: str | None) -> bool:
    """Whether the index is up to date in this entry: the item is there and has this row."""
    item = items.get(entry.item_id)
    if item is None or item.position != entry.position:
        return False
    return tag is None or entry.row in records.tag_rows(item.id, item.revision.rows)
