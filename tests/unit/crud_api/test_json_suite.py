import json
from decimal import Decimal

import pytest

from crud_api.chalicelib.strict_json import InvalidJsonError, dumps, loads
from tests.unit.crud_api.json_suite import ACCEPTED, REFUSED, WHOLE_TEXTS, embedded


def by_decimal(text):
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_is_accepted_means_the_same(name):
    text = embedded(ACCEPTED[name])
    written = dumps(loads(text))
    assert by_decimal(written) == by_decimal(text)
    assert loads(written.encode()) == loads(text)


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("wrap", [bytes, embedded])
def test_what_is_refused(name, wrap):
    text = wrap(REFUSED[name])
    if name == "nesting_beyond_the_limit" and wrap is bytes:
        text = b"[" + text + b"]"
    with pytest.raises(InvalidJsonError) as caught:
        loads(text)
    for fault in caught.value.faults:
        assert fault.detail
        assert fault.pointer == "" or fault.pointer.startswith("/")


@pytest.mark.parametrize("name", WHOLE_TEXTS)
def test_texts_that_are_not_one_value(name):
    with pytest.raises(InvalidJsonError):
        loads(WHOLE_TEXTS[name])
