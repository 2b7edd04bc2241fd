"""JSON as RFC 8259 defines it and nothing more, with numbers kept exactly as they were written.

Python's `json` accepts NaN, Infinity, duplicate names and lone surrogates, fails with
RecursionError on deep nesting, and turns 1.10 into a binary float. This module lets none of these
pass: it lists every fault with a JSON Pointer (RFC 6901).
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TypeAlias

MAX_DEPTH = 33
"""Arrays and objects inside each other, the outermost included. An item's `attributes` is the
second level, so it may itself be 32 deep, as deep as a DynamoDB document may be."""

MAX_DIGITS = 38
MAX_EXPONENT = 125
MIN_EXPONENT = -130
"""The range of the DynamoDB number type ("Constraints in Amazon DynamoDB"). RFC 8259, section 6
lets a reader set limits, and a number within these fits every column it may be moved to."""


@dataclass(frozen=True, slots=True)
class Number:
    """A JSON number by its text, so that 1.10, 1e2 and -0 come back as they came."""

    text: str


Json: TypeAlias = "bool | int | str | Number | list[Json] | dict[str, Json] | None"
"""A JSON value. `loads` gives each number as a `Number`; `int` is for numbers made here."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a document; `pointer` is the JSON Pointer of the value (RFC 6901)."""

    pointer: str
    detail: str


class InvalidJsonError(ValueError):
    """The text is not JSON, or is JSON beyond the limits above; `faults` lists why.

    Where it has the form of JSON, `rest` is its value, with null for what is none.
    """

    def __init__(self, faults: tuple[Fault, ...], rest: Json = None) -> None:
        super().__init__("; ".join(f"{fault.pointer}: {fault.detail}" for fault in faults))
        self.faults = faults
        self.rest = rest


@dataclass(frozen=True, slots=True)
class _Constant:
    """NaN, Infinity or -Infinity, in the place where it was read."""

    text: str


@dataclass(frozen=True, slots=True)
class _DuplicateNames:
    """An object that has a name twice, in the place where it was read."""

    names: tuple[str, ...]
    members: "dict[str, Json]"


def loads(body: bytes, max_depth: int = MAX_DEPTH) -> Json:
    """Return the JSON value that `body` is; InvalidJsonError lists all that is wrong with it.

    Arrays and objects may be inside each other `max_depth` deep.
    """
    try:
        value = _DECODER.decode(body.decode())
    except UnicodeDecodeError as error:
        raise InvalidJsonError((Fault("", f"is not UTF-8 at byte {error.start}"),)) from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InvalidJsonError((Fault("", f"is not JSON at {place}: {error.msg}"),)) from None
    except RecursionError:
        raise InvalidJsonError((_too_deep("", max_depth),)) from None
    faults = tuple(_faults(value, "", 1, max_depth))
    if faults:
        raise InvalidJsonError(faults, _without_faults(value, max_depth))
    return value  # type: ignore[no-any-return] # a decoder with hooks is typed Any


def dumps(value: Json) -> str:
    """Return the JSON text of `value`: no white space, names in their order, UTF-8 unescaped."""
    match value:
        case str():
            return _quoted(value)
        case dict():
            return f"{{{','.join(f'{_quoted(name)}:{dumps(v)}' for name, v in value.items())}}}"
        case list():
            return f"[{','.join(map(dumps, value))}]"
        case Number():
            return value.text
        case _:
            return json.dumps(value)


def pointer_to(parent: str, name: str | int) -> str:
    """Return the JSON Pointer of the member or element `name` of the value at `parent`."""
    return f"{parent}/{str(name).replace('~', '~0').replace('/', '~1')}"


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json] | _DuplicateNames:
    value = dict(pairs)
    if len(value) == len(pairs):
        return value
    counts = Counter(name for name, _ in pairs)
    return _DuplicateNames(tuple(name for name, count in counts.items() if count > 1), value)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=Number, parse_int=Number, parse_constant=_Constant
)
_quoted = json.encoder.encode_basestring


def _too_deep(pointer: str, max_depth: int) -> Fault:
    return Fault(pointer, f"is nested deeper than {max_depth} levels")


def _faults(value: object, pointer: str, depth: int, max_depth: int) -> Iterator[Fault]:
    match value:
        case dict() | list() if depth > max_depth:
            yield _too_deep(pointer, max_depth)
        case dict():
            for name, member in value.items():
                yield from _string_faults(name, pointer, "has a name that")
                yield from _faults(member, pointer_to(pointer, name), depth + 1, max_depth)
        case list():
            for index, element in enumerate(value):
                yield from _faults(element, pointer_to(pointer, index), depth + 1, max_depth)
        case str():
            yield from _string_faults(value, pointer, "is a string that")
        case Number(text):
            yield from _number_faults(text, pointer)
        case _Constant(text):
            yield Fault(pointer, f"is {text}, which is not JSON")
        case _DuplicateNames(names, members):
            for name in names:
                yield Fault(pointer_to(pointer, name), "is there more than once")
            yield from _faults(members, pointer, depth, max_depth)


def _without_faults(value: object, levels: int) -> Json:
    """Return the value with null in the place of constants and of what is nested too deep.

    Of a name that is there more than once the last value stays.
    """
    match value:
        case _DuplicateNames(_, members):
            return _without_faults(members, levels)
        case dict() if levels > 0:
            return {name: _without_faults(member, levels - 1) for name, member in value.items()}
        case list() if levels > 0:
            return [_without_faults(element, levels - 1) for element in value]
        case str() | Number() | bool():
            return value
        case _:
            return None


def _string_faults(text: str, pointer: str, subject: str) -> Iterator[Fault]:
    try:
        text.encode()
    except UnicodeEncodeError:
        yield Fault(pointer, f"{subject} has half a surrogate pair, which is no character")


def _number_faults(text: str, pointer: str) -> Iterator[Fault]:
    try:
        number = Decimal(text)
    except InvalidOperation:
        yield Fault(pointer, _OUT_OF_RANGE)
        return
    if not number:
        return
    mantissa = text.lower().partition("e")[0]
    digits = len(mantissa.lstrip("-").replace(".", "").strip("0"))
    if digits > MAX_DIGITS:
        yield Fault(pointer, f"has {digits:,} significant digits; {MAX_DIGITS} is the most")
    if not MIN_EXPONENT <= number.adjusted() <= MAX_EXPONENT:
        yield Fault(pointer, _OUT_OF_RANGE)


_OUT_OF_RANGE = (
    f"is a number outside the range 1E{MIN_EXPONENT} to 9.9E+{MAX_EXPONENT}, positive or negative"
)
