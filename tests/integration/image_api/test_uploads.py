"""POST /uploads: forms that upload to S3, and the policy in them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from benchmarks.photograph import photograph


def begin(deployed: Any, body: bytes = b"") -> Any:
    headers = {"Content-Type": "application/json"} if body else {}
    return deployed.client.http.post("/uploads", headers=headers, body=body)


def send(form: dict[str, Any], data: bytes, **changed: str) -> httpx.Response:
    return httpx.post(form["url"], data=form["fields"] | changed, files={"file": ("a", data)})


def test_a_form_uploads_what_becomes_renditions(deployed):
    begun = begin(deployed, b'{"content_type": "image/jpeg"}')
    form = begun.json_body

    assert begun.status_code == 201
    assert begun.headers["Location"] == form["links"]["image"] == f"images/{form['id']}"
    assert begun.headers["Cache-Control"] == "no-store"
    assert form["max_bytes"] == 50_000_000
    left = datetime.fromisoformat(form["expires_at"]) - datetime.now(UTC)
    assert timedelta(seconds=890) < left <= timedelta(seconds=900)
    # The role's credentials are temporary: without their token S3 takes no form.
    assert form["fields"]["x-amz-security-token"]

    data = photograph(640, 480)
    sent = send(form, data)
    assert sent.status_code == 204, sent.text

    assert deployed.get(f"/images/{form['id']}").json_body["status"] == "pending"
    deployed.process(deployed.event(f"images/{form['id']}"))
    shown = deployed.get(f"/images/{form['id']}").json_body
    assert shown["status"] == "ready"
    assert shown["source"] == {
        "media_type": "image/jpeg",
        "bytes": len(data),
        "width": 640,
        "height": 480,
    }


def test_without_a_body_any_file_may_come(deployed):
    form = begin(deployed).json_body
    assert form["fields"]["Content-Type"] == "application/octet-stream"
    assert send(form, photograph(32, 24)).status_code == 204
    deployed.process(deployed.event(f"images/{form['id']}"))
    shown = deployed.get(f"/images/{form['id']}").json_body
    assert shown["status"] == "ready"
    assert shown["source"]["media_type"] == "image/jpeg"


CHANGES = [
    {"Content-Type": "text/html"},
    {"key": "images/other"},
    {"key": "anything"},
    {"policy": ""},
    {"acl": "public-read"},
]


def test_a_form_that_was_changed_is_refused(deployed, subtests):
    form = begin(deployed, b'{"content_type": "image/png"}').json_body
    for changed in CHANGES:
        with subtests.test(changed=changed):
            assert send(form, b"data", **changed).status_code in (400, 403)
    assert deployed.keys(deployed.source) == []


def test_more_bytes_than_the_limit_are_refused_by_s3(deployed, monkeypatch):
    limited = replace(deployed.api_app.settings, max_upload_bytes=1000)
    monkeypatch.setattr(deployed.api_app, "settings", limited)
    form = begin(deployed).json_body
    assert form["max_bytes"] == 1000

    refused = send(form, bytes(1001))

    assert refused.status_code == 400
    assert "EntityTooLarge" in refused.text
    assert deployed.keys(deployed.source) == []
    assert send(form, bytes(1000)).status_code == 204


REFUSED = [
    (b"", "empty"),
    (b"a letter", "unsupported-format"),
    (b"\xff\xd8\xff\xe0", "corrupt-image"),
    (photograph(800, 600)[:20_000], "corrupt-image"),
    (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"\0\1\0\0" * 2 + b"\x08\2\0\0\0", "corrupt-image"),
]


@pytest.mark.proves("the file is no image, or damaged")
def test_what_cannot_become_renditions_is_refused_at_get(deployed, subtests):
    for data, slug in REFUSED:
        with subtests.test(slug=slug, length=len(data)):
            form = begin(deployed).json_body
            assert send(form, data).status_code == 204
            event = deployed.event(f"images/{form['id']}")

            deployed.process(event)

            shown = deployed.get(f"/images/{form['id']}").json_body
            assert shown["status"] == "rejected"
            assert shown["problem"]["type"] == f"/problems/{slug}"
            assert shown["renditions"] == []
            before = deployed.stored()
            deployed.process(event)
            assert deployed.stored() == before


def test_an_upload_over_the_limit_that_came_another_way_is_rejected_unread(deployed, monkeypatch):
    form = begin(deployed).json_body
    deployed.put(form["id"], photograph(32, 24))
    limited = replace(deployed.worker_app.settings, max_upload_bytes=10)
    monkeypatch.setattr(deployed.worker_app, "settings", limited)

    with deployed.s3_fault("GetObject", lambda _request: None) as read:
        deployed.process(deployed.event(f"images/{form['id']}"))

    assert not any("/images/" in url for url in read)
    shown = deployed.get(f"/images/{form['id']}").json_body
    assert shown["problem"]["type"] == "/problems/too-large"


WRONG_BODIES = [
    (b"{", []),
    (b"\xff", []),
    (b"[" * 100_000, []),
    (b"[]", [""]),
    (b'"image/png"', [""]),
    (b'{"content_type": "text/html"}', ["/content_type"]),
    (b'{"content_type": ["image/png"]}', ["/content_type"]),
    (b'{"content_type": null, "a/b~": 1}', ["/content_type", "/a~1b~0"]),
]


def test_a_wrong_body_is_told_where(deployed, assert_problem, subtests):
    for body, pointers in WRONG_BODIES:
        with subtests.test(body=body[:40]):
            problem = assert_problem(begin(deployed, body), 400, "invalid-body")
            assert [error["pointer"] for error in problem.get("errors", [])] == pointers
