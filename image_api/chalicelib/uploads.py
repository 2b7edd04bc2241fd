"""Request bodies: the file in them, sent as it is or as the field `file` of a form.

RFC 7578 (multipart/form-data) on RFC 2046, 5.1 (multipart). The body is in memory already, so the
parts are found by splitting bytes, which never touches the file itself.
"""

from __future__ import annotations

from email.message import Message
from email.parser import BytesHeaderParser

FIELD = "file"

# Lambda takes 6 MiB of request, in which API Gateway sends the body as base64, a third longer. The
# rest is room for the request's headers.
MAX_BODY_BYTES = 4_500_000


class MalformedForm(ValueError):
    """A multipart body that cannot be read, or has no field `file`."""


def file_in(content_type: str, body: bytes) -> bytes:
    """Return the uploaded file: the body itself, or the field `file` of a multipart form.

    Raises MalformedForm.
    """
    header = Message()
    header["Content-Type"] = content_type
    if header.get_content_type() != "multipart/form-data":
        return body
    boundary = header.get_boundary()
    if not boundary:
        raise MalformedForm("The Content-Type has no boundary parameter.")
    files = [content for name, content in _parts(body, boundary) if name == FIELD]
    if len(files) != 1:
        raise MalformedForm(f"The form has {len(files)} fields named {FIELD}; it needs one.")
    return files[0]


def _parts(body: bytes, boundary: str) -> list[tuple[str, bytes]]:
    """Return the (field name, content) of each part."""
    delimiter = b"\r\n--" + boundary.encode("latin-1", errors="replace")
    # The line break before a delimiter belongs to it, and the first one may have none before it.
    _preamble, *sections = (b"\r\n" + body).split(delimiter)
    parts: list[tuple[str, bytes]] = []
    for section in sections:
        if section.startswith(b"--"):
            return parts
        padding, line_break, part = section.partition(b"\r\n")
        header, blank_line, content = (b"\r\n" + part).partition(b"\r\n\r\n")
        if padding.strip(b" \t") or not line_break or not blank_line:
            break
        fields = BytesHeaderParser().parsebytes(header.removeprefix(b"\r\n"))
        name = fields.get_param("name", header="Content-Disposition")
        parts.append((name if isinstance(name, str) else "", content))
    raise MalformedForm("The form breaks off, or its parts do not follow the boundary.")
