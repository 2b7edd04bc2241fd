"""The command: `python -m webtier.costs`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from webtier import subject
from webtier.costs import estimate, prices, report
from webtier.costs.prices import PriceError
from webtier.drill.tier import TemplateError
from webtier.subject import SubjectError

if TYPE_CHECKING:
    from collections.abc import Sequence

_EPILOG = """\
examples:
  python -m webtier.costs
  python -m webtier.costs --stage prod
  python -m webtier.costs --parameter InstanceType=m7g.large --parameter MinCapacity=4

What is counted and what is not: docs/webtier_costs.md.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what a template costs a month; return the exit code: 0, 2 when that is not possible."""
    parser = argparse.ArgumentParser(
        prog="python -m webtier.costs",
        description="Say what the web tier's template costs a month at AWS's list prices.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    subject.add_arguments(parser)
    parser.add_argument(
        "--prices", type=Path, default=prices.FILE, metavar="FILE", help="your own table of prices"
    )
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    options = parser.parse_args(arguments)
    try:
        body, parameters = subject.given(options)
        found = estimate.month(body, prices.load(options.prices), parameters)
    except (PriceError, SubjectError, TemplateError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{parser.prog}: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(report.plain(found), indent=1, ensure_ascii=False))
    else:
        print("\n".join(report.text(found)))
    return 0
