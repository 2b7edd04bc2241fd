"""Schemathesis, with every check and phase, against `chalice local` and against the deployed API.

The number of examples is small here; SCHEMATHESIS_EXAMPLES sets another.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from crud_api import resources
from sandbox import environment

PART = Path(resources.__file__).parent
EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES", "5")
PHASES = "examples,coverage,fuzzing,stateful"
LOCAL = ("--no-autoreload", "--stage", "local")
COMMANDS = Path(sys.executable).parent


@pytest.fixture
def project(deploy_stack, unique, tmp_path):
    """A copy of the part, recorded at the stage `local` with a table of its own."""
    outputs = deploy_stack(
        f"crud-api-{unique}", resources.template(), {"DeletionProtection": "false"}
    )
    copy = tmp_path / "crud_api"
    shutil.copytree(PART, copy, ignore=shutil.ignore_patterns("deploy*", "__pycache__"))
    path = copy / ".chalice" / "config.json"
    config = json.loads(path.read_text())
    # The name is the functions', too: those of other tests stay as they are.
    config["app_name"] = f"crud_api_{unique}"
    config["stages"]["local"]["environment_variables"] |= resources.environment(outputs)
    path.write_text(json.dumps(config))
    policy = resources.policies(outputs)["api_handler"]
    (copy / ".chalice" / "policy-local-api_handler.json").write_text(json.dumps(policy))
    return copy


@pytest.fixture
def local_url(project, tmp_path):
    """The address of `chalice local`, running."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(
            [COMMANDS / "chalice", "local", *LOCAL, "--port", str(port)],
            cwd=project,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        for _ in range(200):
            assert server.poll() is None, (tmp_path / "log").read_text()
            try:
                httpx.get(f"http://127.0.0.1:{port}/openapi.json")
                break
            except httpx.ConnectError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(10)


@pytest.fixture
def deployed_url(project, aws):
    """The address of the API that `chalice deploy` made."""
    chalice = [COMMANDS / "chalice"]
    stage = ["--stage", "local"]
    subprocess.run([*chalice, "deploy", *stage], cwd=project, check=True, capture_output=True)
    note = json.loads((project / ".chalice" / "deployed" / "local.json").read_text())
    [api] = [entry for entry in note["resources"] if entry["resource_type"] == "rest_api"]
    yield f"{aws.endpoint}/_aws/execute-api/{api['rest_api_id']}/api"
    subprocess.run([*chalice, "delete", *stage], cwd=project, check=True, capture_output=True)


def fuzz(url, directory):
    shutil.copy(PART.parent / "schemathesis.toml", directory)
    done = subprocess.run(
        [
            COMMANDS / "schemathesis",
            *("run", f"{url}/openapi.json", "--url", url, "--checks", "all", "--phases", PHASES),
            *("--max-examples", EXAMPLES, "--continue-on-failure", "--no-color", "--seed", "1"),
            # `chalice local` takes 44 ms for an answer on a connection that stays open.
            *("--header", "Connection: close"),
            *("--generation-database", "none"),
        ],
        cwd=directory,
        env={"PATH": os.environ["PATH"], "HOME": str(directory)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    assert "Tested: 8" in done.stdout, done.stdout[-2000:]


def test_chalice_local_keeps_the_contract(local_url, tmp_path):
    fuzz(local_url, tmp_path)


def test_the_deployed_api_keeps_the_contract(deployed_url, tmp_path):
    fuzz(deployed_url, tmp_path)


def test_the_environment_is_that_of_the_sandbox(aws):
    """Otherwise the tests above would reach for another AWS."""
    expected = environment.variables(aws.endpoint, aws.directory)
    assert expected.items() <= os.environ.items()
