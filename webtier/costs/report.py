"""What a web tier costs, as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .estimate import HOURS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal

    from .estimate import Estimate, Fixed, Usage


def text(estimate: Estimate) -> Iterator[str]:
    """The bill, line by line: what is fixed, by use, not included, and whence the prices are."""
    yield f"US dollars a month ({HOURS} hours) in {estimate.region}, {dated(estimate)}"
    yield ""
    lines = ordered(estimate)
    width = max((len(line.what) for line in lines), default=0)
    for line in lines:
        yield f"{line.usd:>10,}  {line.what:{width}}  {reckoned(line)}"
    yield f"{estimate.usd:>10,}  {total(estimate)}"
    yield ""
    yield "on top, by use"
    for one in estimate.usage:
        usd, per = rate(one)
        yield f"{usd:>10}  per {per}: {one.what}"
    yield ""
    yield "not included"
    for what in (*estimate.unknown, *estimate.missing, *NEVER):
        yield f"  {what}"
    yield ""
    yield "prices from"
    for source in sources(estimate):
        yield f"  {source}"


def ordered(estimate: Estimate) -> list[Fixed]:
    """What is fixed, the largest first."""
    return sorted(estimate.fixed, key=lambda line: -line.usd)


NEVER = ("taxes, discounts and free allowances",)
"""What no bill of these includes."""


def total(estimate: Estimate) -> str:
    """What the sum is of."""
    gap = ", without what has no price: see below" if estimate.unknown else ""
    return f"together, before anything is used{gap}"


def reckoned(line: Fixed) -> str:
    """How much of what price a line is."""
    return f"{line.count:,} × {amount(line.price.usd)} per {line.price.per}"


def rate(one: Usage) -> tuple[str, str]:
    """What is paid and for what, requests by the million."""
    if one.per == "request":
        return amount(one.usd * 1_000_000), "million requests"
    return amount(one.usd), one.per


def dated(estimate: Estimate) -> str:
    """When the prices were published, in words."""
    dates = sorted(price.published for price in estimate.prices)
    if not dates:
        return "without a price"
    first, last = dates[0], dates[-1]
    return f"list prices of {first}" if first == last else f"list prices of {first} to {last}"


def sources(estimate: Estimate) -> list[str]:
    """The addresses of the price lists, each once."""
    return sorted({price.source for price in estimate.prices})


def amount(usd: Decimal) -> str:
    """A price as it stands in the table: at least with cents, never with an exponent."""
    plain = f"{usd:f}"
    whole, _, fraction = plain.partition(".")
    return f"{whole}.{fraction.rstrip('0').ljust(2, '0')}"


def plain(estimate: Estimate) -> dict[str, Any]:
    """All of it as plain values; amounts are texts, so that no digit is lost."""
    return {
        "region": estimate.region,
        "hours": HOURS,
        "usd": str(estimate.usd),
        "fixed": [
            {
                "what": line.what,
                "count": line.count,
                "usd": str(line.usd),
                "price": amount(line.price.usd),
                "per": line.price.per,
                "source": line.price.source,
                "published": line.price.published.isoformat(),
            }
            for line in estimate.fixed
        ],
        "usage": [
            {"what": one.what, "usd": amount(one.usd), "per": one.per} for one in estimate.usage
        ],
        "unknown": list(estimate.unknown),
        "missing": [*estimate.missing, *NEVER],
    }
