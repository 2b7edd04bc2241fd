"""Run the chalice command for one project, and tell in one line why it failed."""

import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from deploy.errors import ChaliceError, DeployInterruptedError

# Chalice is run by this interpreter: its version is the functions' runtime. It ends where this
# process does, even by SIGKILL: the other end of its standard input is closed then. Without that it
# would go on, and another deployment would meet it. The app finds no module of this project but its
# own, as on Lambda.
_PROGRAM = f"""\
import os, sys, threading
threading.Thread(target=lambda: os.read(0, 1) or os._exit(1), daemon=True).start()
sys.path.insert(0, {str(Path(__file__).resolve().parent.parent)!r})
from deploy import packing
del sys.path[0]
packing.install()
import chalice.cli
sys.exit(chalice.cli.main())
"""
_COMMAND = (sys.executable, "-P", "-c", _PROGRAM)
_KEPT_LINES = 400
_SHOWN_LINES = 10
_TRACEBACK = "Traceback (most recent call last):"


def run(
    directory: Path,
    command: str,
    stage: str,
    on_line: Callable[[str], None],
    options: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run `chalice COMMAND --stage STAGE` in the project, call `on_line` for each line it prints.

    `options` are further words of the command, `environment` further variables for it.

    Raises ChaliceError: the command ended with an error; the text is its last statement.
    Raises DeployInterruptedError: Ctrl-C; Chalice got it too.
    """
    lines: deque[str] = deque(maxlen=_KEPT_LINES)
    process = subprocess.Popen(
        [*_COMMAND, command, "--stage", stage, *options],
        cwd=directory,
        env={**os.environ, **(environment or {}), "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    failing = False
    with process:
        try:
            for line in process.stdout or ():
                text = line.rstrip()
                lines.append(text)
                # Chalice ends every error in a traceback; the reason is told below, in one line.
                failing = failing or text == _TRACEBACK
                if text and not failing:
                    on_line(text)
        except KeyboardInterrupt as interrupt:
            # The terminal sends the signal to Chalice too; a plain `kill` of this process does not.
            process.terminate()
            raise DeployInterruptedError(
                f"interrupted: chalice {command} was stopped half-way, so the app is partly as it "
                "was before; run the same command again, on any machine, and it goes on from there"
            ) from interrupt
    if process.returncode:
        raise ChaliceError(
            f"chalice {command} failed: {reason(lines)}",
            [line for line in lines if line.strip()][-_SHOWN_LINES:],
        )


def reason(lines: "deque[str]") -> str:
    """Return the one statement in Chalice's output that says why it failed."""
    text = [line.strip() for line in lines if line.strip()]
    # A deployment error is wrapped over several lines after its "ERROR - ... error:" sentence.
    for index in range(len(text) - 1, -1, -1):
        if "ERROR - " in text[index]:
            statement = " ".join(text[index:])
            return statement[statement.index("ERROR - ") + len("ERROR - ") :]
    return text[-1] if text else "it printed nothing"
