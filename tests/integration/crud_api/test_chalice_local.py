"""`chalice local` as a developer runs it: a server process, real HTTP, many clients at once."""

import json
import shutil
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from crud_api import resources

PART = Path(resources.__file__).parent


@pytest.fixture
def local_api(deploy_stack, unique, tmp_path):
    """A client of the app of the stage `local`, recorded with a table of this test's own."""
    outputs = deploy_stack(
        f"crud-api-{unique}", resources.template(), {"DeletionProtection": "false"}
    )
    project = tmp_path / "crud_api"
    shutil.copytree(PART, project, ignore=shutil.ignore_patterns("deploy*", "__pycache__"))
    path = project / ".chalice" / "config.json"
    config = json.loads(path.read_text())
    config["stages"]["local"]["environment_variables"] |= resources.environment(outputs)
    path.write_text(json.dumps(config))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [Path(sys.executable).with_name("chalice"), "local", "--no-autoreload"]
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "--stage", "local", "--port", str(port)],
            cwd=project,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            for _ in range(200):
                assert server.poll() is None, (tmp_path / "log").read_text()
                try:
                    client.get("/items")
                    break
                except httpx.ConnectError:
                    time.sleep(0.1)
            yield client
    finally:
        server.terminate()
        server.wait(10)


def test_the_life_of_an_item(local_api):
    created = local_api.post("/items", json={"name": "a", "tags": ["t"]})
    assert created.status_code == 201
    path, etag = created.headers["Location"], created.headers["ETag"]
    assert local_api.get(path).json() == created.json()
    assert local_api.get(path, headers={"If-None-Match": etag}).status_code == 304
    patched = local_api.patch(path, json={"name": "b"}, headers={"If-Match": etag})
    assert (patched.status_code, patched.json()["name"]) == (200, "b")
    stale = local_api.put(path, json={"name": "c"}, headers={"If-Match": etag})
    assert stale.status_code == 412
    assert stale.headers["Content-Type"] == "application/problem+json"
    assert stale.headers["Access-Control-Allow-Origin"] == "*"
    listed = local_api.get("/items", params={"tag": "t"}).json()
    assert listed == {"items": [patched.json()], "next": None}
    assert local_api.delete(path).status_code == 204
    assert local_api.get(path).status_code == 404


def test_a_preflight(local_api):
    response = local_api.options("/items/x")
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    allowed = response.headers["Access-Control-Allow-Methods"].split(",")
    assert {"GET", "PUT", "PATCH", "DELETE"} <= set(allowed)
    assert "If-Match" in response.headers["Access-Control-Allow-Headers"]
    assert "ETag" in response.headers["Access-Control-Expose-Headers"]


def test_one_of_sixteen_writers_with_the_same_etag_wins(local_api):
    created = local_api.post("/items", json={"name": "a"})
    path, headers = created.headers["Location"], {"If-Match": created.headers["ETag"]}

    def replace(number):
        return local_api.put(path, json={"name": f"{number}"}, headers=headers)

    with ThreadPoolExecutor(16) as pool:
        responses = list(pool.map(replace, range(16)))
    assert sorted(response.status_code for response in responses) == [200] + [412] * 15
    [winner] = [response for response in responses if response.status_code == 200]
    assert local_api.get(path).json() == winner.json()
    current = {response.headers["ETag"] for response in responses}
    assert current == {winner.headers["ETag"]}
