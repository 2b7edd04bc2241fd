"""Writes docs/webtier_costs.md and the costs of the options in docs/webtier.md.

`python -m webtier.costs.page`; `--check` compares. The page's words are in page.md.
"""

from __future__ import annotations

import argparse
import dataclasses
import re
import sys
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from webtier import build
from webtier.costs import estimate, prices, report
from webtier.drill import reading
from webtier.options import ZONES, Architecture, Database, Nat, Options, ScheduledMinimum

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from webtier.costs.estimate import Estimate
    from webtier.costs.prices import Prices

DOCS = Path(__file__).resolve().parents[2] / "docs"
FRAME = Path(__file__).with_name("page.md")
PAGE = "webtier_costs.md"
OPTIONS_PAGE = "webtier.md"
HEADER = "| option | default | meaning | costs a month |"
NOTHING = "–"

# Of each option, other values than the default one, and how the page names them.
OTHERS: dict[str, tuple[tuple[str, Any], ...]] = {
    "zones": tuple((f"`{zones}`", zones) for zones in ZONES),
    "nat": tuple((f"`{nat}`", nat) for nat in Nat),
    "plain_http": (("on", True),),
    "firewall": (("off", False),),
    "architecture": tuple((f"`{one}`", one) for one in Architecture),
    "spot_percent": (("Spot", 50),),
    "schedule": (("a schedule", (ScheduledMinimum("0 7 * * MON-FRI", 4),)),),
    "time_zone": (("a time zone", "Europe/Berlin"),),
    "database": tuple((f"`{database}`", database) for database in Database),
    "storage_gib": (("each GiB", Options().storage_gib + 1),),
    "max_storage_gib": (("a larger one", Options().max_storage_gib + 1),),
    "backup_days": (("all", 35),),
    "log_days": (("all", 3653),),
    "deletion_protection": (("off", False),),
}

_ROW = re.compile(
    r"^(?P<start>\| `--(?P<name>[a-z-]+)` \|(?:[^|\n]+\|){2})[^|\n]*\|?$", re.MULTILINE
)


def of(options: Options, table: Prices) -> Estimate:
    """What a template with these options costs, with the parameters' defaults."""
    body = build.template(options).to_dict()
    return estimate.month(body, table, reading.stand_ins(body))


def costs(table: Prices) -> dict[str, str]:
    """What the other values of each option cost more or less, by its name in Options."""
    default = of(Options(), table)
    return {name: "; ".join(_others(name, default, table)) or NOTHING for name in OTHERS}


def _others(name: str, default: Estimate, table: Prices) -> Iterator[str]:
    for label, value in OTHERS[name]:
        other = of(dataclasses.replace(Options(), **{name: value}), table)
        difference = other.usd - default.usd
        if other.unknown:
            yield f"{label}: its price is not in the table"
        elif difference:
            yield f"{label}: {'+' if difference > 0 else '−'}{abs(difference)}"


def page(table: Prices) -> str:
    """The page of the default's bill and the prices."""
    default = of(Options(), table)
    return Template(FRAME.read_text(encoding="utf-8")).substitute(
        region=table.region,
        dated=report.dated(default),
        hours=estimate.HOURS,
        fixed="\n".join(_fixed(default)),
        usage="\n".join(_usage(default)),
        missing="\n".join(f"- {what}" for what in (*default.missing, *report.NEVER)),
        prices="\n".join(_prices(table)),
    )


def _fixed(default: Estimate) -> Iterator[str]:
    yield "| what | | a month |"
    yield "|---|---|--:|"
    for line in report.ordered(default):
        yield f"| {line.what} | {report.reckoned(line)} | {line.usd} |"
    yield f"| **together** | | **{default.usd}** |"


def _usage(default: Estimate) -> Iterator[str]:
    yield "| what | US dollars | per |"
    yield "|---|--:|---|"
    for one in default.usage:
        usd, per = report.rate(one)
        yield f"| {one.what} | {usd} | {per} |"


def _prices(table: Prices) -> Iterator[str]:
    yield "| price | US dollars | per | price list | copies |"
    yield "|---|--:|---|---|---|"
    for price in table.prices.values():
        offer = price.source.split("/")[6]
        cells = (
            f"`{price.name}`",
            report.amount(price.usd),
            price.per,
            f"[{offer} of {price.published}]({price.source})",
            ", ".join(f"[{_repository(one)}]({one})" for one in price.extracts),
        )
        yield f"| {' | '.join(cells)} |"


def _repository(address: str) -> str:
    return address.split("/")[4]


def with_costs(text: str, differences: dict[str, str]) -> str:
    """The page of the options with the last column of their table as it should be."""
    before, header, after = text.partition(HEADER)
    table, blank, rest = after.partition("\n\n")
    return "".join(
        (before, header, _ROW.sub(lambda row: _row(row, differences), table), blank, rest)
    )


def _row(row: re.Match[str], differences: dict[str, str]) -> str:
    cost = differences.get(row["name"].replace("-", "_"), NOTHING)
    return f"{row['start']} {cost} |"


def written(folder: Path = DOCS) -> dict[str, str]:
    """The pages as they should be, by their names in the folder. Raises OSError."""
    table = prices.load()
    options = (folder / OPTIONS_PAGE).read_text(encoding="utf-8")
    return {PAGE: page(table), OPTIONS_PAGE: with_costs(options, costs(table))}


def outdated(folder: Path = DOCS) -> list[str]:
    """The pages that are not as they should be, by their names. Raises OSError."""
    return [name for name, text in written(folder).items() if _stored(folder / name) != text]


def _stored(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the pages; return the process's exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m webtier.costs.page",
        description="Write docs/webtier_costs.md and the costs of the options in docs/webtier.md.",
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 where they are out of date"
    )
    options = parser.parse_args(arguments)
    try:
        if options.check:
            return _report(outdated())
        for name, text in written().items():
            (DOCS / name).write_text(text, encoding="utf-8")
            print(DOCS / name)
    except OSError as error:
        print(f"{parser.prog}: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


def _report(names: Iterable[str]) -> int:
    names = list(names)
    for name in names:
        print(f"docs/{name}: run `python -m webtier.costs.page`")
    return 1 if names else 0


if __name__ == "__main__":
    sys.exit(main())
