"""The table of prices: each dated and with a source, and what is wrong with somebody's own."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from decimal import Decimal

import pytest

from webtier.costs import prices
from webtier.costs.prices import PriceError

TABLE = tomllib.loads(prices.FILE.read_text(encoding="utf-8"))
LIST = "https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/"
SMALL = f"""
region = "us-east-1"
[sources]
list = "{LIST}AWSELB/20260831092255/us-east-1/index.json"
[prices.load-balancer]
usd = 0.0225
per = "hour"
source = "list"
"""


def test_every_price_has_a_dated_price_list_of_aws() -> None:
    loaded = prices.load()
    assert loaded.region == "us-east-1"
    for price in loaded.prices.values():
        assert price.source.startswith(LIST), price
        region = re.search(r"/\d{14}/(?:(.+)/)?index\.(?:json|csv)$", price.source)
        assert region, price
        assert region[1] in ("us-east-1", None), price
        assert date(2026, 1, 1) <= price.published <= date(2026, 12, 31), price
        assert price.usd > 0


def test_a_source_is_named_by_its_date_and_none_is_left_over() -> None:
    for name, address in TABLE["sources"].items():
        dated = "".join(name.split("-")[-3:])
        assert f"/{dated}" in address, name
    entries = TABLE["prices"].values()
    assert {entry["source"] for entry in entries} == set(TABLE["sources"])
    used = {extract for entry in entries for extract in entry.get("extract", ())}
    assert used == set(TABLE["extracts"])


def test_a_sku_is_one_product() -> None:
    skus = [entry["sku"] for entry in TABLE["prices"].values() if "sku" in entry]
    assert len(skus) == len(set(skus))
    assert all(re.fullmatch("[0-9A-Z]{16}", sku) for sku in skus)


def test_a_copy_is_a_file_at_a_commit() -> None:
    for address in TABLE["extracts"].values():
        assert re.match(r"https://github\.com/[\w.-]+/[\w.-]+/blob/[0-9a-f]{40}/", address)


def test_no_digit_is_lost(tmp_path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(SMALL)
    (price,) = prices.load(path).prices.values()
    assert (price.usd, price.per, price.published) == (
        Decimal("0.0225"),
        "hour",
        date(2026, 8, 31),
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('region = "us-east-1"', "", "give region, [sources] and [prices]"),
        ("usd = 0.0225\n", "", "load-balancer: give usd, per and source"),
        ("usd = 0.0225", "usd = -1", "load-balancer: -1 is no price in US dollars"),
        ("usd = 0.0225", "usd = nan", "load-balancer: NaN is no price"),
        ("usd = 0.0225", "usd = true", "load-balancer: True is no price"),
        ("usd = 0.0225", 'usd = "0.0225"', "load-balancer: 0.0225 is no price"),
        ('source = "list"', 'source = "x"', "[sources] has no dated price list 'x'"),
        ("/20260831092255/", "/current/", "[sources] has no dated price list 'list'"),
        ("/20260831092255/", "/20261331092255/", "[sources] has no dated price list 'list'"),
        ('source = "list"', 'source = "list"\nextract = ["x"]', "[extracts] has no 'x'"),
        ('source = "list"', 'source = "list"\nskuu = ""', "give usd, per and source"),
        ("[sources]", "[sources", "Expected"),
    ],
)
def test_a_wrong_table_is_one_line(tmp_path, old: str, new: str, message: str) -> None:
    path = tmp_path / "own.toml"
    assert old in SMALL
    path.write_text(SMALL.replace(old, new))
    with pytest.raises(PriceError, match=re.escape(message)) as caught:
        prices.load(path)
    assert "\n" not in str(caught.value)
