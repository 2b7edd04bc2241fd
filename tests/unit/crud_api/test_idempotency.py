import pytest
from hypothesis import given
from hypothesis import strategies as st

from crud_api.chalicelib.idempotency import Intent, InvalidKeyError, parse_key
from crud_api.chalicelib.strict_json import Number

PRINTABLE = st.text([chr(code) for code in range(0x20, 0x7F)], min_size=1, max_size=255)


@given(PRINTABLE)
def test_a_quoted_key(key):
    """RFC 8941, section 3.3.3: a string, in which quotes and backslashes are escaped."""
    quoted = key.replace("\\", "\\\\").replace('"', '\\"')
    assert parse_key(f'"{quoted}"') == key


@pytest.mark.parametrize("key", ["a", "8e03978e-40d5-43dd-bc93-6894a57f9324", "a b", "x" * 255])
def test_a_bare_key(key):
    assert parse_key(f" {key} ") == key


@pytest.mark.parametrize("value", ["", '"', '""', '"a', 'a"', '"a"b"', "é", "a\nb", "x" * 256])
def test_what_is_no_key(value):
    with pytest.raises(InvalidKeyError):
        parse_key(value)


def test_an_intent_is_of_one_caller_and_one_body():
    intent = Intent.of("key", "caller", {"n": Number("1")})
    assert intent == Intent.of("key", "caller", {"n": Number("1")})
    others = [
        Intent.of("another", "caller", {"n": Number("1")}),
        Intent.of("key", "another", {"n": Number("1")}),
        Intent.of("key", "caller", {"n": Number("1.0")}),
    ]
    assert [other.key == intent.key for other in others] == [False, False, True]
    assert others[2].request != intent.request
