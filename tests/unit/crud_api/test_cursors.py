import base64

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from crud_api.chalicelib import clock, cursors
from crud_api.chalicelib.cursors import Key, Scope

KEY = Key.of("a secret")
POSITIONS = st.builds(
    lambda time, item_id: f"{clock.text_of(time)}#{item_id}",
    st.integers(0, 4_000_000_000_000_000),
    st.from_regex("[A-Za-z0-9_-]{1,64}", fullmatch=True),
)
SCOPES = st.builds(Scope, st.none() | st.text("a#\n1é", max_size=4), st.text("a:/", max_size=4))


def keys(name):
    return [KEY] if name == KEY.name else []


@given(POSITIONS, SCOPES)
def test_a_cursor_stands_for_its_position(position, scope):
    cursor = cursors.encode(position, scope, KEY)
    assert cursors.decode(cursor, scope, keys) == position
    assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@given(POSITIONS, SCOPES, SCOPES)
def test_a_cursor_is_good_for_its_list_and_caller_alone(position, scope, other):
    assume(scope != other)
    with pytest.raises(cursors.InvalidCursorError, match="for this list and this caller"):
        cursors.decode(cursors.encode(position, scope, KEY), other, keys)


@given(st.text(max_size=90) | st.binary(max_size=90).map(lambda b: base64.b64encode(b).decode()))
def test_other_text_is_no_cursor(text):
    with pytest.raises(cursors.InvalidCursorError, match="is not a cursor this API gave"):
        cursors.decode(text, Scope(None, ""), keys)


@given(POSITIONS, st.data())
def test_a_cursor_changed_in_any_place_is_none(position, data):
    scope = Scope("t", "caller")
    cursor = cursors.encode(position, scope, KEY)
    place = data.draw(st.integers(0, len(cursor)))
    changed = cursor[:place] + data.draw(st.sampled_from("=A b_é\n")) + cursor[place + 1 :]
    assume(changed != cursor)
    with pytest.raises(cursors.InvalidCursorError):
        cursors.decode(changed, scope, keys)


def test_a_cursor_of_a_key_nobody_knows():
    scope = Scope(None, "")
    with pytest.raises(cursors.InvalidCursorError):
        cursors.decode(
            cursors.encode("2026-01-02T03:04:05.678901Z#x", scope, Key.of("another")), scope, keys
        )
