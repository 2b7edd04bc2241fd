import random
from pathlib import Path

import pytest

from benchmarks import partition_limits
from benchmarks.partition_limits import Traffic, Write, done, zipf

DECISION = Path(partition_limits.__file__).parents[1] / "docs/decisions/items-key-design.md"


def one_key(generator, shards):
    return Write((("the key", 1),), ())


def test_one_key_takes_a_thousand_units_a_second():
    assert done(Traffic("one key", one_key), 1_000, 1) == 1.0
    assert done(Traffic("one key", one_key), 4_000, 1) == 0.25


def test_what_the_index_refuses_is_not_written():
    def through_the_index(generator, shards):
        return Write(((f"{generator.getrandbits(60)}", 1),), (("the key", 2),))

    assert done(Traffic("one index key", through_the_index), 1_000, 1) == 0.5


def test_what_is_refused_takes_no_units():
    """Every second write can never be done; the others have the units for themselves."""
    alternate = iter(range(10**9))

    def write(generator, shards):
        return Write((("the key", 1),), (("too much", 2_001 if next(alternate) % 2 else 0),))

    assert done(Traffic("alternating", write), 2_000, 1) == 0.5


def test_zipf():
    generator = random.Random(1)
    draw = zipf(1_000)
    drawn = [draw(generator) for _ in range(20_000)]
    assert set(drawn) <= set(range(1_000))
    assert drawn.count(0) / drawn.count(1) == pytest.approx(2, rel=0.15)
    assert drawn.count(0) / drawn.count(9) == pytest.approx(10, rel=0.25)


def test_the_decision_has_rows_as_the_simulation_gives_them(monkeypatch):
    """The two heaviest columns of the table take their time; `python -m` makes it whole."""
    lines = DECISION.read_text().splitlines()
    for traffic, shards in ((partition_limits.TRAFFIC[0], 4), (partition_limits.TRAFFIC[1], 4)):
        shares = " | ".join(f"{done(traffic, rate, shards):.0%}" for rate in (1_000, 4_000))
        [row] = [line for line in lines if line.startswith(f"| {traffic.name} | {shards} |")]
        assert row.startswith(f"| {traffic.name} | {shards} | {shares} |")
