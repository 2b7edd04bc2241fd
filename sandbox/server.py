"""The process that is the embedded AWS: MiniStack, its gaps filled, on 127.0.0.1.

`sandbox.emulator` starts it with a clean environment, because functions inherit this process's and
because MiniStack reads its settings when it is imported.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from hypercorn.typing import Framework


def main() -> int:
    """Serve until SIGTERM, or until standard input ends where `--exit-with-parent` is given."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.server", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--lambda-python", type=Path, required=True)
    parser.add_argument("--alarm-period-scale", type=float, required=True)
    parser.add_argument("--record", type=Path, help="write what IAM decides on into this file")
    parser.add_argument("--exit-with-parent", action="store_true")
    arguments = parser.parse_args()
    if arguments.exit_with_parent:
        threading.Thread(target=_terminate_at_end_of_input, daemon=True).start()

    from sandbox import console, gaps, origins
    from sandbox.emulator import Emulator

    try:
        gaps.check_version()
        if arguments.record:
            from sandbox import calls

            calls.install(arguments.record)
        gaps.install(
            lambda_python=arguments.lambda_python,
            alarm_period_scale=arguments.alarm_period_scale,
        )
    except RuntimeError as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 1

    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack import app as ministack

    from sandbox.gaps import instances

    config = Config()
    config.bind = [f"127.0.0.1:{arguments.port}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 1
    emulator = Emulator(os.getpid(), f"http://127.0.0.1:{arguments.port}", Path())
    application = cast("Framework", origins.wrap(console.wrap(ministack.app, emulator)))

    async def run() -> None:
        stop = asyncio.Event()

        def end() -> None:
            # The signal is for the whole process group: instances end by themselves.
            instances.leave()
            stop.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, end)
        await serve(application, config, shutdown_trigger=stop.wait)

    try:
        asyncio.run(run())
    finally:
        gaps.stop_machines()
    return 0


def _terminate_at_end_of_input() -> None:
    # The parent holds the other end of the pipe, so even its death by SIGKILL ends this process.
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
