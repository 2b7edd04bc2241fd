from __future__ import annotations

import time
from datetime import UTC, datetime

from image_api.chalicelib import identifiers


def test_ids_are_unique_and_well_formed():
    ids = [identifiers.new_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert all(identifiers.is_id(each) for each in ids)


def test_newer_ids_sort_first():
    older = identifiers.new_id()
    time.sleep(0.002)
    assert identifiers.new_id() < older


def test_an_id_tells_when_it_was_made():
    before = datetime.now(UTC)
    made = datetime.fromisoformat(identifiers.created_at(identifiers.new_id()))
    assert abs((made - before).total_seconds()) < 1


def test_times_have_milliseconds():
    assert identifiers.created_at(f"{2**48 - 1 - 1_700_000_000_007:012x}" + "0" * 20) == (
        "2023-11-14T22:13:20.007Z"
    )


def test_other_texts_are_no_ids():
    made = identifiers.new_id()
    for text in ("", made[:-1], f"{made}0", made.upper(), f"{made}\n", "g" * 32, f"../{made}"):
        assert not identifiers.is_id(text)


def test_an_id_has_a_date_or_is_none():
    last = f"{2**48 - 1 - 253_402_300_799_999:012x}" + "0" * 20
    assert identifiers.is_id(last)
    assert identifiers.created_at(last) == "9999-12-31T23:59:59.999Z"
    assert identifiers.is_id("f" * 32)
    assert identifiers.created_at("f" * 32) == "1970-01-01T00:00:00.000Z"
    assert not identifiers.is_id("0" * 32)
