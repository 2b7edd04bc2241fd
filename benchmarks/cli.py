"""The command line of the benchmarks."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from benchmarks import (
    crud_cold_start,
    crud_handler,
    crud_list,
    image_cold_start,
    image_memory,
    image_quality,
    image_throughput,
    images,
    partition_limits,
    webtier_template,
)
from benchmarks.worker import WorkerError

if TYPE_CHECKING:
    from benchmarks.ratios import Result

BENCHMARKS = {
    crud_cold_start.NAME: crud_cold_start.run,
    crud_handler.NAME: crud_handler.run,
    crud_list.NAME: crud_list.run,
    image_cold_start.NAME: image_cold_start.run,
    image_throughput.NAME: image_throughput.run,
    image_memory.NAME: image_memory.run,
    image_quality.NAME: image_quality.run,
    images.NAME: images.run,
    partition_limits.NAME: partition_limits.run,
    webtier_template.NAME: webtier_template.run,
}
ROUNDS = 15


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmarks asked for; 0 where they ran or could not for want of a peer."""
    options = _parser().parse_args(arguments)
    names = [options.name] if options.name else list(BENCHMARKS)
    try:
        for name in names:
            result = BENCHMARKS[name](options.rounds)
            print(json.dumps(result.document()) if options.json else _text(result), flush=True)
    except WorkerError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Run the project beside its peers and print ratios: below 1 it takes less.",
        epilog="Peers come from npm and are installed on first use; without node and npm the "
        "benchmarks that need them are skipped.",
    )
    parser.add_argument(
        "name", nargs="?", choices=sorted(BENCHMARKS), help="one benchmark (default: all)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a benchmark")
    parser.add_argument(
        "--rounds",
        type=_positive,
        default=ROUNDS,
        metavar="N",
        help=f"measured rounds (default: {ROUNDS})",
    )
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _text(result: Result) -> str:
    if result.skipped is not None:
        return f"{result.name}: skipped: {result.skipped}"
    lines = [
        f"{result.name}: {label}: {ratio.median:.2f} ({ratio.low:.2f} to {ratio.high:.2f}), "
        f"goal {ratio.goal:.2f} {'met' if ratio.met else 'missed'}"
        for label, ratio in result.ratios.items()
    ]
    lines += [f"{result.name}: {label}: {figure}" for label, figure in result.figures.items()]
    return "\n".join(lines)
