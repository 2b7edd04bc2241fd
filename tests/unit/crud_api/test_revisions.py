import pytest
from hypothesis import given
from hypothesis import strategies as st

from crud_api.chalicelib.revisions import Revision, TagRows, parse_revision, revision_of

TAGS = st.lists(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1), max_size=20, unique=True
)
REVISIONS = st.builds(Revision.first, st.integers(0, 2**63), TAGS)


@given(REVISIONS)
def test_a_revision_comes_back_from_its_text(revision):
    assert parse_revision(revision.text) == revision
    assert set(revision.text) <= set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    )


@given(st.text(max_size=60))
def test_other_text_is_no_revision(text):
    revision = parse_revision(text)
    assert revision is None or revision.text == text


@pytest.mark.parametrize("addition", ["=", "A", "\n", " ", "é"])
def test_an_altered_text_is_no_revision(addition):
    revision = Revision.first(1, ["a"])
    assert parse_revision(revision.text + addition) is None
    with pytest.raises(ValueError, match="is no revision"):
        revision_of(revision.text + addition)


@given(REVISIONS, TAGS)
def test_the_next_revision(revision, tags):
    following = revision.next(tags)
    assert following.version == revision.version + 1
    assert following.created == revision.created
    assert following.nonce != revision.nonce
    assert following.rows.count == len(tags)
    assert following.rows.stands_for(tags)


@given(TAGS)
def test_rows_stay_while_the_tags_are_the_same_in_any_order(tags):
    revision = Revision.first(1, tags)
    assert revision.next(reversed(tags)).rows == revision.rows
    assert revision.next().rows == revision.rows


@given(TAGS, TAGS)
def test_rows_are_new_where_the_tags_are_not_the_same(tags, others):
    revision = Revision.first(1, tags)
    assert (revision.next(others).rows == revision.rows) == (set(tags) == set(others))


def test_rows_of_the_same_tags_have_different_generations():
    assert TagRows.of(["a"]).generation != TagRows.of(["a"]).generation
    assert TagRows.of([]) == TagRows()


def test_there_is_a_last_version():
    last = Revision(1, 2**32 - 1, b"12345678", TagRows())
    assert parse_revision(last.text) is None
