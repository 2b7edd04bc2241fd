import pytest
from hypothesis import given
from hypothesis import strategies as st

from crud_api.chalicelib.preconditions import (
    EntityTags,
    InvalidEntityTagsError,
    entity_tag,
    parse_entity_tags,
)

REVISIONS = st.text("abcXYZ019_-", min_size=1, max_size=16)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("*", EntityTags(any_tag=True)),
        (" * ", EntityTags(any_tag=True)),
        ('"a"', EntityTags(strong=frozenset("a"))),
        ('"a", "b","c"', EntityTags(strong=frozenset("abc"))),
        ('W/"a", "b"', EntityTags(strong=frozenset("b"), weak=frozenset("a"))),
        ('"a,b"', EntityTags(strong=frozenset(["a,b"]))),
        ('""', EntityTags(strong=frozenset([""]))),
    ],
)
def test_parse(value, expected):
    assert parse_entity_tags(value) == expected


@pytest.mark.parametrize(
    "value", ["", "a", '"a', 'a"', '"a" "b"', 'w/"a"', '*, "a"', "'a'", '"a"b']
)
def test_malformed(value):
    with pytest.raises(InvalidEntityTagsError):
        parse_entity_tags(value)


def test_more_tags_than_a_condition_holds():
    parse_entity_tags(",".join(f'"{number}"' for number in range(100)))
    with pytest.raises(InvalidEntityTagsError, match="more than 100"):
        parse_entity_tags(",".join(f'"{number}"' for number in range(101)))


@given(st.lists(REVISIONS, min_size=1, max_size=5), REVISIONS)
def test_what_was_given_out_matches(revisions, other):
    parsed = parse_entity_tags(", ".join(map(entity_tag, revisions)))
    assert all(parsed.matches_strongly(revision) for revision in revisions)
    assert parsed.matches_strongly(other) == (other in revisions)


def test_a_weak_tag_matches_weakly_only():
    parsed = parse_entity_tags('W/"a"')
    assert parsed.matches_weakly("a")
    assert not parsed.matches_strongly("a")
    assert not parsed.matches_weakly("b")


def test_the_star_matches_all():
    assert parse_entity_tags("*").matches_strongly("a")
    assert parse_entity_tags("*").matches_weakly("a")
