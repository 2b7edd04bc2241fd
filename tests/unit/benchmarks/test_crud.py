import json
import subprocess
import sys

import pytest

from benchmarks import crud_handler
from benchmarks.worker import started

HANDLERS = {
    crud_handler.OURS: crud_handler.OUR_PATH,
    **{handler: None for handler, _ in crud_handler.PEERS.values()},
}


@pytest.fixture(scope="module")
def endpoint():
    with crud_handler.stub() as address:
        yield address


@pytest.mark.parametrize("handler", HANDLERS)
def test_every_handler_does_the_same_work(handler, endpoint):
    """The worker ends where an answer has another status or another item than the others'."""
    command = crud_handler.command(handler, HANDLERS[handler])
    variables = crud_handler.environment(endpoint)
    with started(command, crud_handler.ROOT, variables) as worker:
        assert worker.work()["cpu"] > 0


def test_a_handler_that_answers_otherwise_is_found_out(endpoint, tmp_path):
    answer = {"statusCode": 200, "body": json.dumps({"name": "another"})}
    (tmp_path / "wrong.py").write_text(f"def handler(event, context):\n    return {answer}\n")
    command = crud_handler.command("wrong:handler", [str(tmp_path)], "--once")
    done = subprocess.run(
        command,
        cwd=crud_handler.ROOT,
        env=crud_handler.environment(endpoint),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("GET was answered with")


def test_a_page_of_a_list_is_counted():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.crud_list_worker", "300"],
        cwd=crud_handler.ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    pages = json.loads(done.stdout)
    # Four shards and a read of all items: half a unit a query, one an item.
    assert [page["requests"] for page in pages.values()] == [5, 5, 5, 5]
    assert [page["units"] for page in pages.values()] == [22, 22, 22, 5]
    assert all(3 <= page["entries"] <= 84 for page in pages.values())
