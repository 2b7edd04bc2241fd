"""The table of prices: prices.toml, or another region's."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE = Path(__file__).with_name("prices.toml")

_OPTIONAL = {"sku", "extract"}
# AWS Billing User Guide, "Reading the service version index file": the version of a price list is
# the time at which it was published.
_VERSION = re.compile(r"/(\d{4})(\d{2})(\d{2})\d{6}/")


class PriceError(ValueError):
    """The table of prices is wrong; the message is one line and names the price."""


@dataclass(frozen=True)
class Price:
    """A price in US dollars `per` hour, month, GB-month, GB, request or what else is counted.

    `source` is the address of the price list it stands in, `sku` the product's name there, empty
    where it is not known, and `extracts` are the addresses of copies that show it.
    """

    name: str
    usd: Decimal
    per: str
    source: str
    published: date
    sku: str = ""
    extracts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Prices:
    """The prices of a region, by name."""

    region: str
    prices: Mapping[str, Price]

    def get(self, name: str) -> Price | None:
        """The price of that name, None where the table has none."""
        return self.prices.get(name)


def load(path: Path = FILE) -> Prices:
    """The prices of a file. Raises PriceError, OSError."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PriceError(f"{path}: {error}") from error
    region, sources, entries = (table.get(key) for key in ("region", "sources", "prices"))
    if not (isinstance(region, str) and isinstance(sources, dict) and isinstance(entries, dict)):
        raise PriceError(f"{path}: give region, [sources] and [prices]")
    extracts = table.get("extracts", {})
    return Prices(
        region, {name: _price(name, entry, sources, extracts) for name, entry in entries.items()}
    )


def _price(name: str, entry: Any, sources: Mapping[str, Any], extracts: Mapping[str, Any]) -> Price:
    if not isinstance(entry, dict) or set(entry) - _OPTIONAL != {"usd", "per", "source"}:
        raise PriceError(f"{name}: give usd, per and source")
    usd, source = entry["usd"], str(sources.get(str(entry["source"])))
    if isinstance(usd, bool) or not isinstance(usd, int | Decimal) or not _is_amount(Decimal(usd)):
        raise PriceError(f"{name}: {usd} is no price in US dollars")
    published = _published(source)
    if published is None:
        raise PriceError(f"{name}: [sources] has no dated price list {entry['source']!r}")
    return Price(
        name=name,
        usd=Decimal(usd),
        per=str(entry["per"]),
        source=source,
        published=published,
        sku=str(entry.get("sku", "")),
        extracts=tuple(_extract(name, one, extracts) for one in entry.get("extract", ())),
    )


def _extract(name: str, extract: Any, extracts: Mapping[str, Any]) -> str:
    if extract not in extracts:
        raise PriceError(f"{name}: [extracts] has no {extract!r}")
    return str(extracts[extract])


def _is_amount(usd: Decimal) -> bool:
    return usd.is_finite() and 0 <= usd < 1_000_000


def _published(source: str) -> date | None:
    found = _VERSION.search(source)
    try:
        return date(*map(int, found.groups())) if found else None
    except ValueError:
        return None
