"""The commands of `python -m sandbox`, and what each leaves behind."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Checkout

SANDBOX = ("python", "-m", "sandbox")


def servers(checkout: Checkout) -> list[str]:
    """Command lines of the processes that still use the copy's sandbox."""
    listed = subprocess.run(
        ["ps", "-ww", "-eo", "command="], capture_output=True, text=True, check=True
    )
    return [line for line in listed.stdout.splitlines() if str(checkout.path / ".sandbox") in line]


@contextlib.contextmanager
def foreground(checkout: Checkout) -> Iterator[subprocess.Popen[str]]:
    """An empty sandbox in the foreground, once it waits for Ctrl-C."""
    process = subprocess.Popen(
        [*SANDBOX, "up", "--empty"],
        cwd=checkout.path,
        env=checkout.environment({"PYTHONUNBUFFERED": "1"}),
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        for line in process.stdout or ():
            if "Ctrl-C" in line:
                break
        yield process


@pytest.fixture
def empty(checkout: Checkout) -> Iterator[str]:
    """The endpoint of an empty sandbox, running in the background."""
    started = checkout.run(*SANDBOX, "up", "--empty", "--detach")
    assert started.returncode == 0, started.stdout
    yield json.loads(checkout.run(*SANDBOX, "status", "--json").stdout)["endpoint"]
    checkout.run(*SANDBOX, "down")


def test_up_listens_on_the_loopback_address_only(empty: str) -> None:
    port = int(empty.rsplit(":", 1)[1])
    others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), port)} - {"127.0.0.1"}
    for address in [*others, "127.0.0.2", "::1"]:
        with (
            pytest.raises(ConnectionRefusedError),
            socket.create_connection((address, port), timeout=2),
        ):
            pass


@pytest.mark.parametrize("works", [True, False])
def test_up_opens_the_console_in_the_browser_or_says_where_it_is(
    checkout: Checkout, tmp_path: Path, works: bool
) -> None:
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n' if works else "#!/bin/sh\nexit 1\n")
    browser.chmod(0o755)
    started = checkout.run(
        *SANDBOX, "up", "--empty", "--detach", "--console", env={"BROWSER": str(browser)}
    )
    console = json.loads(checkout.run(*SANDBOX, "status", "--json").stdout)["console"]
    checkout.run(*SANDBOX, "down")
    assert started.returncode == 0, started.stdout
    assert (
        (opened.read_text() == f"{console}\n") if works else (f"open {console}" in started.stdout)
    )


def test_status_names_endpoint_accounts_and_nothing_deployed(
    checkout: Checkout, empty: str
) -> None:
    shown = json.loads(checkout.run(*SANDBOX, "status", "--json").stdout)
    assert shown == {
        "endpoint": empty,
        "console": f"{empty}/_sandbox/",
        "apis": {},
        "webtier": None,
        "accounts": {"workload": "111111111111", "monitoring": "222222222222"},
        "stacks": [],
    }


def test_env_makes_the_aws_command_line_talk_to_it(checkout: Checkout, empty: str) -> None:
    script = (
        'eval "$(python -m sandbox env)" && aws s3 mb s3://a-bucket && aws s3 ls && '
        "aws sts get-caller-identity --query Account --output text && "
        "aws sts get-caller-identity --query Account --output text --profile monitoring"
    )
    result = checkout.run("bash", "-c", script, env={"AWS_PROFILE": "left-over"})
    assert result.returncode == 0, result.stdout
    assert "a-bucket" in result.stdout
    assert result.stdout.split()[-2:] == ["111111111111", "222222222222"]


def test_reset_forgets_everything(checkout: Checkout, empty: str) -> None:
    script = (
        'eval "$(python -m sandbox env)" && aws s3 mb s3://b-bucket && '
        "python -m sandbox reset --empty && aws s3 ls"
    )
    result = checkout.run("bash", "-c", script)
    assert result.returncode == 0, result.stdout
    assert result.stdout.splitlines()[-1] == "reset: the sandbox is empty"


def test_console_is_one_page_that_reads_the_state(empty: str) -> None:
    page = httpx.get(f"{empty}/_sandbox/")
    assert page.headers["content-type"].startswith("text/html")
    assert httpx.get(f"{empty}/_sandbox/status.json").json()["alarms"] == []
    assert httpx.get(f"{empty}/_sandbox/nothing").status_code == 404


def test_a_second_up_is_refused(checkout: Checkout, empty: str) -> None:
    second = checkout.run(*SANDBOX, "up", "--empty")
    assert second.returncode == 1
    assert second.stdout == (
        f"sandbox: one is already running at {empty}. `python -m sandbox down` stops it.\n"
    )


def test_two_starts_at_once_do_not_harm_each_other(checkout: Checkout) -> None:
    both = [
        subprocess.Popen(
            [*SANDBOX, "up", "--empty", "--detach"],
            cwd=checkout.path,
            env=checkout.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(2)
    ]
    assert sorted(process.wait(timeout=30) for process in both) == [0, 1]
    assert checkout.run(*SANDBOX, "status").returncode == 0
    assert checkout.run(*SANDBOX, "down").returncode == 0
    assert servers(checkout) == []


def test_down_leaves_no_process_and_no_file(checkout: Checkout) -> None:
    before = checkout.files()
    checkout.run(*SANDBOX, "up", "--empty", "--detach")
    assert servers(checkout)
    assert checkout.run(*SANDBOX, "down").returncode == 0
    assert servers(checkout) == []
    assert checkout.files() == before


@pytest.mark.parametrize("command", ["down", "status", "env", "reset", "tour"])
def test_commands_say_so_where_none_runs(checkout: Checkout, command: str) -> None:
    result = checkout.run(*SANDBOX, command)
    assert result.returncode == 1
    assert result.stdout == "sandbox: no sandbox is running. `python -m sandbox up` starts one.\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_sandbox_leaves_nothing(checkout: Checkout, number: signal.Signals) -> None:
    before = checkout.files()
    with foreground(checkout) as process:
        process.send_signal(number)
        assert process.wait(timeout=15) == (0 if number == signal.SIGINT else 128 + number)
    assert servers(checkout) == []
    assert checkout.files() == before


def test_an_interrupt_during_the_start_leaves_nothing(checkout: Checkout) -> None:
    before = checkout.files()
    for delay in (0.2, 0.35, 0.5, 0.65):
        process = subprocess.Popen(
            [*SANDBOX, "up", "--empty"],
            cwd=checkout.path,
            env=checkout.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=15)
        assert servers(checkout) == []
        assert checkout.files() == before


def test_the_server_ends_when_its_parent_is_killed(checkout: Checkout) -> None:
    with foreground(checkout) as process:
        process.kill()
    deadline = time.monotonic() + 10
    while servers(checkout) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert servers(checkout) == []
    # What the killed one could not remove, the next one does.
    assert checkout.run(*SANDBOX, "up", "--empty", "--detach").returncode == 0
    assert checkout.run(*SANDBOX, "down").returncode == 0


def test_a_port_in_use_is_named(checkout: Checkout) -> None:
    before = checkout.files()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = checkout.run(*SANDBOX, "up", "--port", str(port))
    assert result.returncode == 1
    assert result.stdout == (
        f"sandbox: port {port} on 127.0.0.1 is in use. "
        "Name another with --port, or leave --port out to take a free one.\n"
    )
    assert checkout.files() == before


def test_a_missing_module_is_one_line(checkout: Checkout) -> None:
    # An isolated interpreter has none of the project's requirements.
    result = checkout.run("python", "-S", "-m", "sandbox", "status")
    assert result.returncode == 1
    assert result.stdout == (
        "sandbox: the Python module 'httpx' is missing. "
        "Run `make setup`, then use .venv/bin/python.\n"
    )


def test_help_is_there_for_every_command(checkout: Checkout) -> None:
    for command in ("up", "down", "env", "reset", "status", "tour", "demo"):
        result = checkout.run(*SANDBOX, command, "--help")
        assert result.returncode == 0
        assert result.stdout.startswith(f"usage: python -m sandbox {command}")
