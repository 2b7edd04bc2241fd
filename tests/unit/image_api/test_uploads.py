from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_api.chalicelib.uploads import MalformedForm, file_in

PLAIN = "multipart/form-data; boundary=x"


def form(**files: tuple[str, bytes]) -> tuple[str, bytes]:
    """A form as a real client writes it."""
    request = httpx.Request("POST", "http://localhost/", files=files)
    return request.headers["Content-Type"], request.read()


def test_a_body_that_is_no_form_is_the_file():
    assert file_in("image/jpeg", b"bytes") == b"bytes"
    assert file_in("", b"bytes") == b"bytes"


@given(st.binary(), st.binary())
def test_the_file_comes_out_of_a_form_as_it_went_in(content, other):
    content_type, body = form(before=("a", other), file=("b.jpg", content), after=("c", other))
    assert file_in(content_type, body) == content


@given(st.lists(st.sampled_from([b"\r\n", b"--", b"x", b"\r", b"\n", b"y", b"-"])))
def test_line_breaks_and_dashes_in_the_file_are_its_own(pieces):
    content = b"".join(pieces)
    body = b"--zz\r\nContent-Disposition: form-data; name=file\r\n\r\n" + content + b"\r\n--zz--"
    assert file_in("multipart/form-data; boundary=zz", body) == content


@pytest.mark.parametrize(
    "body",
    [
        b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nA\r\n--x--\r\n',
        b"preface\r\n--x\r\ncontent-disposition: form-data; name=file\r\n\r\nA\r\n--x--",
        b"--x \t\r\nX: y\r\nContent-Disposition: form-data; name=file\r\n\r\nA\r\n--x--e",
    ],
)
def test_forms_of_other_clients_are_read(body):
    assert file_in('Multipart/Form-Data; charset=utf-8; boundary="x"', body) == b"A"


@pytest.mark.parametrize(
    ("content_type", "body", "said"),
    [
        ("multipart/form-data", b"", "boundary"),
        (PLAIN, b"", "breaks off"),
        (PLAIN, b"--x--", "0 fields"),
        (PLAIN, b"--x\r\nContent-Disposition: form-data; name=file\r\n\r\nA", "breaks off"),
        (PLAIN, b"--x\r\nContent-Disposition: form-data; name=file", "breaks off"),
        (PLAIN, b"--xy\r\nContent-Disposition: form-data; name=file\r\n\r\nA\r\n--x--", "follow"),
        (PLAIN, b"--x\r\nContent-Disposition: form-data; name=other\r\n\r\nA\r\n--x--", "0 fields"),
        (PLAIN, b"--x\r\nno header\r\n\r\nA\r\n--x--", "0 fields"),
        (PLAIN, b"--x\r\n\r\nA\r\n--x--", "0 fields"),
        (
            PLAIN,
            b"--x\r\nContent-Disposition: form-data; name=file\r\n\r\nA\r\n" * 2 + b"--x--",
            "2",
        ),
    ],
)
def test_a_form_that_cannot_be_read_says_why(content_type, body, said):
    with pytest.raises(MalformedForm, match=said):
        file_in(content_type, body)


@given(st.text(), st.binary(max_size=60))
def test_any_header_and_body_give_a_file_or_a_reason(boundary, body):
    reason = None
    try:
        file_in(f"multipart/form-data; boundary={boundary}", body)
    except MalformedForm as error:
        reason = str(error)
    assert reason is None or reason
