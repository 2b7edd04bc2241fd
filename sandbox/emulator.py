"""Starts and stops the embedded AWS as a process of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

from sandbox import environment, lambda_runtime

USUAL_PORT = 4566
ROOT = Path(__file__).resolve().parent.parent
START_TIMEOUT = 30.0
# A 60-second alarm period passes in two seconds, so that a demonstration fits a minute.
ALARM_PERIOD_SCALE = 30.0


class EmulatorError(Exception):
    """The embedded AWS could not be started; the message says why and what to do."""


@dataclass(frozen=True)
class Emulator:
    """A running embedded AWS. `pid` leads the process group of the server and its functions.

    `process` is set where this very process started it, and holds the pipe whose end ends it.
    """

    pid: int
    endpoint: str
    directory: Path
    process: subprocess.Popen[bytes] | None = None

    def variables(self) -> dict[str, str]:
        """Environment variables that make AWS tools talk to it."""
        return environment.variables(self.endpoint, self.directory)

    def alive(self) -> bool:
        """Whether it is running and answers."""
        return is_server(self.pid) and _answers(self.endpoint)

    def stop(self, grace: float = 5.0) -> None:
        """End the process group and remove its directory, whatever state either is in."""
        if is_server(self.pid):
            for number in (signal.SIGTERM, signal.SIGKILL):
                _signal_group(self.pid, number)
                if self._ended_within(grace):
                    break
            # Functions are in the group too, and one may have outlived the server.
            _signal_group(self.pid, signal.SIGKILL)
        if self.process is not None:
            self.process.wait()
            if self.process.stdin is not None:
                self.process.stdin.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _ended_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            gone = self.process.poll() is not None if self.process else not is_server(self.pid)
            if gone:
                return True
            time.sleep(0.02)
        return False


def choose_port(requested: int | None) -> int:
    """The requested port; else the usual one; else, where that is taken, any free one.

    Raises EmulatorError where the requested port is taken.
    """
    if requested is not None:
        if not _is_free(requested):
            raise EmulatorError(
                f"port {requested} on 127.0.0.1 is in use. "
                "Name another with --port, or leave --port out to take a free one."
            )
        return requested
    return USUAL_PORT if _is_free(USUAL_PORT) else any_free_port()


def start(
    directory: Path,
    *,
    port: int,
    alarm_period_scale: float = ALARM_PERIOD_SCALE,
    exit_with_parent: bool = True,
    record: Path | None = None,
) -> Emulator:
    """Start the embedded AWS with all its files in `directory`, and wait until it answers.

    It writes what IAM decides on into the file `record`, where one is named (`sandbox.calls`).

    Raises EmulatorError, with nothing left running and no directory, where it does not.
    """
    try:
        directory.mkdir(parents=True)
    except FileExistsError:
        raise EmulatorError(f"another one is being started in {directory}.") from None
    process = None
    try:
        (directory / "tmp").mkdir()
        interpreter = lambda_runtime.create(directory / "lambda-runtime")
        endpoint = f"http://127.0.0.1:{port}"
        environment.write_profiles(endpoint, directory)
        with (directory / "emulator.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "sandbox.server", "--port", str(port)]
                + ["--lambda-python", str(interpreter)]
                + ["--alarm-period-scale", str(alarm_period_scale)]
                + (["--record", str(record)] if record else [])
                + (["--exit-with-parent"] if exit_with_parent else []),
                cwd=ROOT,
                env=_server_environment(directory, port),
                stdin=subprocess.PIPE if exit_with_parent else subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        emulator = Emulator(process.pid, endpoint, directory, process)
        _wait_until_it_answers(process, emulator)
    except BaseException:
        if process is not None:
            Emulator(process.pid, "", directory, process).stop(grace=1.0)
        shutil.rmtree(directory, ignore_errors=True)
        raise
    return emulator


def is_server(pid: int) -> bool:
    """Whether `pid` is a sandbox server: the number in a file may be another process by now."""
    listed = subprocess.run(
        ["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return "sandbox.server" in listed.stdout


def _server_environment(directory: Path, port: int) -> dict[str, str]:
    inherited = {
        name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TZ") if name in os.environ
    }
    return inherited | {
        "AUTH": "true",
        # Signatures are checked against it: a URL that an administrator signs has to match.
        "AWS_SECRET_ACCESS_KEY": environment.SECRET_ACCESS_KEY,
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "HOME": str(directory / "tmp"),
        "IOT_MTLS_ENABLED": "0",
        "MINISTACK_ACCOUNT_ID": environment.WORKLOAD_ACCOUNT,
        "MINISTACK_REGION": environment.REGION,
        "PYTHONDONTWRITEBYTECODE": "1",
        "SFTP_ENABLED": "0",
        "TMPDIR": str(directory / "tmp"),
    }


def _wait_until_it_answers(process: subprocess.Popen[bytes], emulator: Emulator) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while not _answers(emulator.endpoint):
        if process.poll() is not None:
            lines = (emulator.directory / "emulator.log").read_text(errors="replace").splitlines()
            last = lines[-1] if lines else "it printed nothing"
            raise EmulatorError(
                f"the embedded AWS ended while starting: {last.removeprefix('sandbox: ')}"
            )
        if time.monotonic() > deadline:
            raise EmulatorError(f"the embedded AWS did not answer within {START_TIMEOUT:.0f} s.")
        time.sleep(0.05)


def _answers(endpoint: str) -> bool:
    try:
        return httpx.get(f"{endpoint}/_ministack/health", timeout=30).is_success
    except httpx.HTTPError:
        return False


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def any_free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
