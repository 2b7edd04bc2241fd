"""The use case of a batch: many writes in one request, each for itself or all or none."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from problem_details import Problem

from . import operations, problems
from .batches import InvalidBatchError, Operation, operations_of
from .items import Item
from .outcomes import (
    ConditionsFailedError,
    ItemTooLargeError,
    TransactionTooLargeError,
    Write,
)
from .strict_json import Json
from .table import WORKERS, ItemTable

_POOL = ThreadPoolExecutor(WORKERS, thread_name_prefix="batch")


@dataclass(frozen=True)
class Result:
    """What became of one operation: the item it stored, None for one deleted, or a problem."""

    status: int
    item: Item | None = None
    problem: Problem | None = None


def run_batch(table: ItemTable, document: Json, *, atomic: bool) -> list[Result]:
    """Carry out the operations of a batch and return their results, in their order."""
    try:
        batch = operations_of(document)
    except InvalidBatchError as error:
        raise problems.of_faults(problems.INVALID_BATCH, error.faults) from error
    if atomic:
        return _all_or_none(table, batch)
    return _each(table, batch)


def _each(table: ItemTable, batch: list[Operation]) -> list[Result]:
    """Carry out each operation for itself: new items together, what has a condition alone."""
    results: dict[int, Result] = {}
    items: dict[int, Item] = {}
    conditional: list[int] = []
    for place, operation in enumerate(batch):
        if operation.item_id is None and operation.content is not None:
            item = operations.new_item(operations.new_id(), operation.content)
            if (problem := _size_problem(table, item)) is None:
                items[place] = item
            else:
                results[place] = Result(problem.problem_type.status, problem=problem)
        else:
            conditional.append(place)
    alone = _POOL.map(lambda place: _alone(table, batch[place]), conditional)
    missed = table.create_many(list(items.values()))
    for place, item in items.items():
        results[place] = Result(201, item)
        if item.id in missed:
            problem = problems.unavailable(unsure=True)
            results[place] = Result(problem.problem_type.status, problem=problem)
    results |= dict(zip(conditional, alone, strict=True))
    return [results[place] for place in range(len(batch))]


def _alone(table: ItemTable, operation: Operation) -> Result:
    """Carry out an operation that has a condition."""
    item_id = operation.item_id or ""
    try:
        if operation.content is None:
            operations.delete_item(table, item_id, operation.if_match)
            return Result(204)
        if operation.if_match is None:
            return Result(201, operations.create_under(table, item_id, operation.content))
        return Result(
            200,
            operations.replace_item(table, item_id, operation.content, operation.if_match),
        )
    except Problem as problem:
        return Result(problem.problem_type.status, problem=problem)


def _size_problem(table: ItemTable, item: Item) -> Problem | None:
    try:
        table.check_size(item)
    except ItemTooLargeError as error:
        return problems.too_large(error)
    return None


@operations.storage_problems()
def _all_or_none(table: ItemTable, batch: list[Operation]) -> list[Result]:
    """Carry out all operations in one transaction, or none."""
    unread = [
        operation.item_id
        for operation in batch
        if operation.item_id and operation.if_match and operation.if_match.single() is None
    ]
    for _ in range(operations.TRIES):
        stored = table.get_many(unread)
        writes = [_write(operation, stored) for operation in batch]
        refused = {place: write for place, write in enumerate(writes) if isinstance(write, Problem)}
        for place, write in enumerate(writes):
            if isinstance(write, Problem) or write.item is None:
                continue
            if (problem := _size_problem(table, write.item)) is not None:
                refused[place] = problem
        if refused:
            raise _not_done(batch, refused)
        planned = [write for write in writes if isinstance(write, Write)]
        try:
            table.write_all(planned)
        except TransactionTooLargeError as error:
            detail = f"The items together would have {error}."
            raise Problem(problems.BATCH_TOO_LARGE, detail) from error
        except ConditionsFailedError as error:
            for place, current in error.current.items():
                if (problem := _refusal(batch[place], current)) is not None:
                    refused[place] = problem
            if refused:
                raise _not_done(batch, refused) from error
            # An item was changed after it was read, and still meets its condition.
            continue
        return [Result(_done_status(write), write.item) for write in planned]
    raise problems.edit_conflict()


def _write(operation: Operation, stored: Mapping[str, Item]) -> Write | Problem:
    """Return the change an operation asks for, or why it cannot be, as far as is known yet."""
    if operation.if_match is None:
        item_id = operation.item_id or operations.new_id()
        content = operation.content
        return Write(item_id, operations.new_item(item_id, content) if content else None, None)
    item_id = operation.item_id or ""
    expected = operation.if_match.single()
    if expected is None:
        current = stored.get(item_id)
        if (problem := _refusal(operation, current)) is not None or current is None:
            return problem or problems.not_found(item_id)
        expected = current.revision
    if operation.content is None:
        return Write(item_id, None, expected)
    return Write(item_id, operations.next_item(item_id, operation.content, expected), expected)


def _refusal(operation: Operation, current: Item | None) -> Problem | None:
    """Return why the operation cannot be done to the stored item, None where it can."""
    item_id = operation.item_id or ""
    if operation.if_match is None:
        return problems.exists(item_id, current)
    if current is None:
        if operation.content is None:
            return problems.not_found(item_id)
        return problems.missing(item_id)
    if not operation.if_match.matches_strongly(current.revision.text):
        return problems.stale(item_id, current)
    return None


def _done_status(write: Write) -> int:
    if write.item is None:
        return 204
    return 201 if write.expected is None else 200


def _not_done(batch: list[Operation], refused: Mapping[int, Problem]) -> Problem:
    """Return the problem that holds those of the operations that stopped the others."""
    count = "1 operation" if len(refused) == 1 else f"{len(refused)} operations"
    others = Problem(problems.FAILED_DEPENDENCY, "Another operation of the batch was refused.")
    documents = [refused.get(place, others).document() for place in range(len(batch))]
    return Problem(
        problems.BATCH_NOT_DONE,
        f"{count} of {len(batch)} cannot be done, so none was.",
        extensions={
            "results": [
                {"status": document["status"], "problem": document} for document in documents
            ]
        },
    )
