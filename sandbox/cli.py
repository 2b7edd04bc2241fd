"""The commands of `python -m sandbox`."""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import signal
import sys
import time
import webbrowser
from typing import TYPE_CHECKING

import httpx

from sandbox import environment, parts, state, status
from sandbox.emulator import START_TIMEOUT, USUAL_PORT, Emulator, EmulatorError, choose_port, start

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import NoReturn

NOT_RUNNING = "no sandbox is running. `python -m sandbox up` starts one."


class CommandError(Exception):
    """A command cannot be done; the message says why and what to do."""


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit status."""
    arguments = _parser().parse_args(argv)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _exit_on_signal)
    try:
        return int(arguments.run(arguments))
    except (CommandError, EmulatorError, parts.DeploymentError) as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox",
        description="An embedded AWS on 127.0.0.1 with the four parts deployed into it.",
        epilog='Then: eval "$(python -m sandbox env)" makes aws, boto3 and chalice talk to it.',
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    up = commands.add_parser("up", help="start it and deploy the four parts")
    _add_port(up)
    up.add_argument("--detach", action="store_true", help="leave it running in the background")
    up.add_argument(
        "--console", action="store_true", help="open its console in the browser of this machine"
    )
    up.add_argument("--empty", action="store_true", help="deploy nothing")
    up.set_defaults(run=_up)

    demo = commands.add_parser("demo", help="start it, deploy, run the tour, and stop it again")
    _add_port(demo)
    demo.set_defaults(run=_demo)

    tour = commands.add_parser("tour", help="use every part with real input and show the evidence")
    tour.set_defaults(run=_tour)

    show = commands.add_parser("status", help="print its URLs and stacks; exit 1 when none runs")
    show.add_argument("--json", action="store_true", help="as one JSON object")
    show.set_defaults(run=_status)

    env = commands.add_parser(
        "env", help='print shell exports, for eval "$(python -m sandbox env)"'
    )
    env.set_defaults(run=_env)

    reset = commands.add_parser("reset", help="forget everything in it and deploy the parts anew")
    reset.add_argument("--empty", action="store_true", help="deploy nothing")
    reset.set_defaults(run=_reset)

    down = commands.add_parser("down", help="stop it and remove everything it wrote")
    down.set_defaults(run=_down)
    return parser


def _add_port(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--port",
        type=_port,
        metavar="N",
        help="port on 127.0.0.1 (default 4566, or a free one where that is taken)",
    )


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: name a number from 1 to 65535")
    return int(text)


def _up(arguments: argparse.Namespace) -> int:
    with _started(arguments.port, keep=arguments.detach) as emulator:
        if not arguments.empty:
            _deploy_all(emulator)
        collected = status.collect(emulator)
        _print_status(collected)
        if arguments.console and not webbrowser.open(collected.console):
            print(f"No browser could be opened here: open {collected.console}", file=sys.stderr)
        if not arguments.detach:
            _wait_for_interrupt(emulator)
    return 0


def _demo(arguments: argparse.Namespace) -> int:
    from sandbox import tour

    begun = time.monotonic()
    with _started(arguments.port) as emulator:
        deployments = _deploy_all(emulator)
        deployed = time.monotonic()
        passed = tour.run(emulator)
        times = "  ".join(f"{done.part} {done.seconds:.1f} s" for done in deployments)
        print(
            f"\nThe demonstration took {time.monotonic() - begun:.1f} s: "
            f"deploying {deployed - begun:.1f} s ({times}), "
            f"the tour {time.monotonic() - deployed:.1f} s."
        )
        _print_status(status.collect(emulator))
        if sys.stdin.isatty() and sys.stdout.isatty():
            _wait_for_interrupt(emulator)
    return 0 if passed else 1


def _tour(_: argparse.Namespace) -> int:
    from sandbox import tour

    return 0 if tour.run(_running()) else 1


def _status(arguments: argparse.Namespace) -> int:
    collected = status.collect(_running())
    if arguments.json:
        print(json.dumps(collected.document(), indent=2))
    else:
        _print_status(collected)
    return 0


def _env(_: argparse.Namespace) -> int:
    emulator = _running()
    print(environment.exports(emulator.endpoint, emulator.directory))
    return 0


def _reset(arguments: argparse.Namespace) -> int:
    emulator = _running()
    httpx.post(f"{emulator.endpoint}/_ministack/reset", timeout=30).raise_for_status()
    parts.forget()
    print("reset: the sandbox is empty")
    if not arguments.empty:
        _deploy_all(emulator)
        _print_status(status.collect(emulator))
    return 0


def _down(_: argparse.Namespace) -> int:
    emulator = state.read()
    if emulator is not None:
        _stop(emulator)
    elif state.DIRECTORY.exists():
        shutil.rmtree(state.DIRECTORY)
    else:
        raise CommandError(NOT_RUNNING)
    print("down: stopped, and everything it wrote is removed")
    return 0


@contextlib.contextmanager
def _started(port: int | None, *, keep: bool = False) -> Iterator[Emulator]:
    """A new emulator; stopped at the end, or on any failure where `keep` is set."""
    _make_room()
    chosen = choose_port(port)
    print(f"sandbox: starting on 127.0.0.1:{chosen}", flush=True)
    if port is None and chosen != USUAL_PORT:
        print(f"sandbox: port {USUAL_PORT} is in use, so this one was taken")
    emulator = start(state.DIRECTORY, port=chosen, exit_with_parent=not keep)
    try:
        state.write(emulator)
        parts.forget()
        yield emulator
    except BaseException:
        _stop(emulator)
        raise
    if not keep:
        _stop(emulator)


def _make_room() -> None:
    """Remove what an earlier sandbox left. Raises CommandError where it is in use."""
    earlier = state.read()
    if earlier is not None and earlier.alive():
        raise CommandError(
            f"one is already running at {earlier.endpoint}. `python -m sandbox down` stops it."
        )
    if earlier is None and state.DIRECTORY.exists():
        # Made, but not recorded yet: another command may be starting one at this moment.
        if time.time() - state.DIRECTORY.stat().st_mtime < START_TIMEOUT:
            raise CommandError(
                "one is just being started, or was killed while starting. "
                "Wait for it, or clear it with `python -m sandbox down`."
            )
        shutil.rmtree(state.DIRECTORY)
    if earlier is not None:
        _stop(earlier)


def _stop(emulator: Emulator) -> None:
    emulator.stop()
    parts.forget()


def _deploy_all(emulator: Emulator) -> list[parts.Deployment]:
    deployments = []
    for part in parts.PARTS:
        print(f"\n{part}: deploying", flush=True)
        done = parts.deploy(emulator, part, lambda line: print(f"  {line}", flush=True))
        print(f"{part}: deployed in {done.seconds:.1f} s", flush=True)
        deployments.append(done)
    return deployments


def _running() -> Emulator:
    emulator = state.running()
    if emulator is None:
        raise CommandError(NOT_RUNNING)
    return emulator


def _print_status(collected: status.Status) -> None:
    rows = [("endpoint", collected.endpoint), ("console", collected.console)]
    rows += [(f"{name} API", url) for name, url in collected.apis.items()]
    rows += [("web tier", collected.webtier)] if collected.webtier else []
    rows += [(f"{name} account", number) for name, number in collected.accounts.items()]
    rows += [
        (f"stack {stack.name}", f"{stack.status} in {stack.account}") for stack in collected.stacks
    ]
    width = max(len(label) for label, _ in rows)
    print()
    for label, value in rows:
        print(f"{label:{width}}  {value}")


def _wait_for_interrupt(emulator: Emulator) -> None:
    if emulator.process is None:
        return
    with contextlib.suppress(KeyboardInterrupt):
        print("\nCtrl-C stops the sandbox and removes everything it wrote.", flush=True)
        emulator.process.wait()
        raise CommandError("the embedded AWS ended by itself.")


def _exit_on_signal(number: int, _: FrameType | None) -> NoReturn:
    # As an exception, so that whatever was started is stopped on the way out.
    sys.exit(128 + number)
