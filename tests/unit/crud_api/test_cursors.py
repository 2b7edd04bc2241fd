import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crud_api.chalicelib import cursors

POSITIONS = st.builds(
    "{}#{}".format,
    st.datetimes().map(lambda time: f"{time:%Y-%m-%dT%H:%M:%S.%f}Z".rjust(27, "0")),
    st.from_regex("[A-Za-z0-9_-]{1,64}", fullmatch=True),
)


@given(POSITIONS)
def test_a_cursor_stands_for_its_position(position):
    cursor = cursors.encode(position)
    assert cursors.decode(cursor) == position
    assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda b: base64.b64encode(b).decode()))
def test_other_text_is_no_cursor(text):
    with pytest.raises(cursors.InvalidCursorError, match="is not a cursor this API gave"):
        cursors.decode(text)


@given(POSITIONS, st.sampled_from(["=", " ", "\n", "A", "é"]))
def test_an_altered_cursor_is_none(position, addition):
    with pytest.raises(cursors.InvalidCursorError):
        cursors.decode(cursors.encode(position) + addition)
