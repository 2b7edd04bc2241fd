from hypothesis import given
from hypothesis import strategies as st

from crud_api.chalicelib.items import Content, Item
from crud_api.chalicelib.pages import Page, merge

SHARD_COUNT = 3


def item(number):
    return Item(f"{number:04}", Content("a"), 1, "r", "T", "T")


def read_shard(numbers, after, count):
    """What a query gives: the newest `count` older than `after`, and where it stopped."""
    rest = [i for i in map(item, sorted(numbers, reverse=True)) if not after or i.position < after]
    return rest[:count], rest[count - 1].position if len(rest) > count else None


@given(
    st.lists(st.tuples(st.integers(0, SHARD_COUNT - 1), st.integers(0, 999)), max_size=60),
    st.integers(1, 7),
    st.integers(1, 9),
)
def test_pages_are_complete_and_in_order_however_short_the_reads(entries, limit, count):
    by_shard = {shard: set() for shard in range(SHARD_COUNT)}
    for shard, number in entries:
        if not any(number in numbers for numbers in by_shard.values()):
            by_shard[shard].add(number)
    listed, after = [], None
    while True:
        reads = [read_shard(numbers, after, count) for numbers in by_shard.values()]
        page = merge(
            [found for items, _ in reads for found in items],
            [last for _, last in reads if last],
            limit,
        )
        assert len(page.items) <= limit
        listed += page.items
        if page.next is None:
            break
        assert after is None or page.next < after
        after = page.next
    expected = sorted((n for numbers in by_shard.values() for n in numbers), reverse=True)
    assert [int(found.id) for found in listed] == expected


def test_a_full_last_page_has_no_next():
    assert merge([item(1), item(2)], [], 2) == Page((item(2), item(1)), None)


def test_nothing_at_all():
    assert merge([], [], 5) == Page((), None)


def test_a_page_ends_where_a_shard_was_not_read_further():
    page = merge([item(9), item(5), item(3), item(1)], [item(5).position], 10)
    assert page == Page((item(9), item(5)), item(5).position)
