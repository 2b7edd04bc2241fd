from hypothesis import given
from hypothesis import strategies as st

from crud_api.chalicelib.pages import Entry, newest

SHARDS = 3


def entry(number):
    return Entry(f"{number:04}#i{number}", f"i{number}")


def read_shard(numbers, after, count):
    """What a query gives: the newest `count` older than `after`."""
    entries = [entry(number) for number in sorted(numbers, reverse=True)]
    return [found for found in entries if after is None or found.position < after][:count]


@given(
    st.lists(st.tuples(st.integers(0, SHARDS - 1), st.integers(0, 999)), max_size=60),
    st.integers(1, 7),
)
def test_pages_are_complete_and_in_order(entries, limit):
    shards = [set() for _ in range(SHARDS)]
    for shard, number in {number: (shard, number) for shard, number in entries}.values():
        shards[shard].add(number)
    listed, after = [], None
    while True:
        page, after = newest([read_shard(shard, after, limit + 1) for shard in shards], limit)
        assert len(page) <= limit
        listed += page
        if after is None:
            break
        assert len(page) == limit
    assert listed == [entry(n) for n in sorted((n for s in shards for n in s), reverse=True)]


def test_a_full_last_page_has_no_next():
    assert newest([[entry(1)], [entry(2)]], 2) == ([entry(2), entry(1)], None)


def test_nothing_at_all():
    assert newest([[], []], 5) == ([], None)


def test_an_entry_knows_its_item():
    assert Entry("2026-01-02T03:04:05.678901Z#a-b_c", "a-b_c#generation#0").item_id == "a-b_c"
