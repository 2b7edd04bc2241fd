import contextlib
import json
import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crud_api.chalicelib.strict_json import (
    MAX_DEPTH,
    Fault,
    InvalidJsonError,
    Number,
    dumps,
    loads,
    pointer_to,
)

CHARACTERS = st.characters(exclude_categories=["Cs"])
TEXT = st.text(CHARACTERS, max_size=20)
NUMBERS = st.from_regex(
    r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?([eE][+-]?[0-9]{1,2})?", fullmatch=True
)
VALUES = st.recursive(
    st.none() | st.booleans() | TEXT | st.builds(Number, NUMBERS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


def faults(body):
    with pytest.raises(InvalidJsonError) as caught:
        loads(body)
    return caught.value.faults


@given(VALUES)
def test_a_value_comes_back_as_it_went_in(value):
    text = dumps(value)
    assert loads(text.encode()) == value
    assert dumps(loads(text.encode())) == text


@given(VALUES)
def test_the_text_is_what_other_readers_understand(value):
    def plain(value):
        match value:
            case Number(text):
                return Decimal(text)
            case list():
                return [plain(element) for element in value]
            case dict():
                return {name: plain(member) for name, member in value.items()}
        return value

    assert json.loads(dumps(value), parse_float=Decimal, parse_int=Decimal) == plain(value)


@given(st.binary(max_size=40) | st.text(alphabet='[]{}",:0eE.-+NaInfity\\u tru', max_size=40))
def test_no_input_does_worse_than_a_list_of_faults(body):
    body = body if isinstance(body, bytes) else body.encode()
    with contextlib.suppress(InvalidJsonError):
        value = loads(body)
        assert loads(dumps(value).encode()) == value


@pytest.mark.parametrize("text", ["1.10", "1e2", "-0", "-0.0", "0E-7", "12345678901234567890.5"])
def test_the_text_of_a_number_is_kept(text):
    assert dumps(loads(text.encode())) == text


@pytest.mark.parametrize("name", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_json_number_is_named_with_its_place(name):
    body = f'{{"a": [0, {name}], "b": {name}}}'.encode()
    detail = f"is {name}, which is not JSON"
    assert faults(body) == (Fault("/a/1", detail), Fault("/b", detail))


def test_a_name_given_twice_is_named_with_its_place():
    body = b'{"a": {"b/c~": 1, "d": 2, "b/c~": 3}}'
    assert faults(body) == (Fault("/a/b~1c~0", "is there more than once"),)


def test_half_a_surrogate_pair_is_named_with_its_place():
    [name, text] = faults(rb'{"a": ["\ud83d\ude00", "\ud83d"], "\ude00": 1}')[::-1]
    assert (text.pointer, name.pointer) == ("/a/1", "")
    assert "surrogate" in text.detail
    assert "surrogate" in name.detail


@pytest.mark.parametrize("digits", ["1" * 39, "0." + "1" * 39, "-1." + "0" * 37 + "1"])
def test_a_number_with_too_many_digits(digits):
    [fault] = faults(f'{{"n": {digits}}}'.encode())
    assert fault.pointer == "/n"
    assert "39 significant digits" in fault.detail


@pytest.mark.parametrize("number", ["1e126", "-1e126", "1e-131", "1e99999999999999999999"])
def test_a_number_out_of_range(number):
    [fault] = faults(f"[{number}]".encode())
    assert fault.pointer == "/0"
    assert "range" in fault.detail


@pytest.mark.parametrize(
    "number", ["1" * 38, "1" + "0" * 125, "9.9e125", "1e-130", "0e999", "0.000", "0." + "0" * 99]
)
def test_a_number_at_the_limits(number):
    assert loads(number.encode()) == Number(number)


def nested(depth):
    return b"[" * depth + b"]" * depth


def test_nesting_at_the_limit():
    loads(nested(MAX_DEPTH))
    [fault] = faults(b'{"a":' + nested(MAX_DEPTH) + b"}")
    assert fault == Fault("/a" + "/0" * (MAX_DEPTH - 1), "is nested deeper than 33 levels")


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
@pytest.mark.parametrize("depth", [900, 100_000])
def test_absurd_nesting(opening, depth):
    [fault] = faults(opening * depth + b"1" + (b"]" if opening == b"[" else b"}") * depth)
    assert "nested" in fault.detail


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "is not JSON at line 1, column 1"),
        (b"\xff\xfe", "is not UTF-8 at byte 0"),
        (b"\x1f\x8b\x08\x00", "is not UTF-8 at byte 1"),
        (b"\xef\xbb\xbf{}", "is not JSON at line 1, column 1"),
        (b'{"a": 1,}', "is not JSON at line 1"),
        (b'"\x00"', "is not JSON at line 1"),
        (b"01", "is not JSON at line 1, column 2"),
        (b"{} {}", "is not JSON at line 1, column 4"),
    ],
)
def test_what_is_not_json(body, detail):
    [fault] = faults(body)
    assert fault.pointer == ""
    assert fault.detail.startswith(detail)


def test_all_faults_are_reported():
    found = faults(b'{"a": NaN, "b": {"c": 1, "c": 2}, "d": "\\ud800", "e": 1e999}')
    assert [fault.pointer for fault in found] == ["/a", "/b/c", "/d", "/e"]


@given(st.lists(TEXT, max_size=4))
def test_a_pointer_names_one_place(names):
    pointer = ""
    for name in names:
        pointer = pointer_to(pointer, name)
    read = [part.replace("~1", "/").replace("~0", "~") for part in re.split("/", pointer)[1:]]
    assert read == names


@pytest.mark.timeout(60)
def test_many_names_are_compared_in_one_pass():
    names = [f"{number}" for number in range(200_000)]
    members = ",".join(f'"{name}":1' for name in [*names, "7", "9"])
    with pytest.raises(InvalidJsonError) as caught:
        loads(f"{{{members}}}".encode())
    assert [fault.pointer for fault in caught.value.faults] == ["/7", "/9"]
