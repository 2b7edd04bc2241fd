"""Many writers at once: no update is lost, and exactly one of several contenders wins."""

from concurrent.futures import ThreadPoolExecutor

import pytest

THREADS = 16


@pytest.fixture
def at_once():
    with ThreadPoolExecutor(THREADS) as pool:
        yield lambda task: list(pool.map(task, range(THREADS)))


@pytest.mark.parametrize("how", ["put", "patch"])
def test_no_update_is_lost(api, at_once, how):
    operations, table, rounds = api.module.operations, api.table, 4
    made, _ = operations.create_item(table, {"name": "a"})

    def add_marks(thread):
        done, statuses = 0, set()
        while done < rounds:
            current = operations.get_item(table, made.id)
            document = {"name": "a", "description": current.content.description + f"{thread:x}"}
            if_match = operations.EntityTags(strong=frozenset({current.revision.text}))
            try:
                if how == "put":
                    operations.put_item(table, made.id, document, if_match, None)
                else:
                    operations.patch_item(table, made.id, document, if_match)
                done += 1
            except operations.Problem as problem:
                statuses.add(problem.problem_type.status)
        return statuses

    assert set().union(*at_once(add_marks)) <= {412}
    final = operations.get_item(table, made.id)
    assert sorted(final.content.description) == sorted("0123456789abcdef" * rounds)
    assert final.version == 1 + THREADS * rounds


def test_one_of_many_creates_wins(api, at_once, unique):
    operations = api.module.operations
    anything = operations.EntityTags(any_tag=True)

    def create(thread):
        document = {"name": f"{thread}"}
        try:
            return operations.put_item(api.table, unique, document, None, anything)[0]
        except operations.Problem as problem:
            return problem.problem_type.status

    results = at_once(create)
    assert results.count(412) == THREADS - 1
    [winner] = [result for result in results if result != 412]
    assert operations.get_item(api.table, unique) == winner


def test_one_of_many_deletes_wins(api, at_once):
    operations = api.module.operations
    made, _ = operations.create_item(api.table, {"name": "a"})

    def delete(_):
        try:
            operations.delete_item(api.table, made.id, None)
        except operations.Problem as problem:
            return problem.problem_type.status
        return 204

    assert sorted(at_once(delete)) == [204] + [404] * (THREADS - 1)
