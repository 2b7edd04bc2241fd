"""An item's life through the REST API, conflicts and refusals included."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from sandbox.tour.context import Context
    from sandbox.tour.report import Report

ITEM = {
    "name": "Reading lamp",
    "tags": ["lighting", "desk"],
    "attributes": {"price": 39.90, "watts": 7, "colours": ["brass", "black"]},
}


def tour(context: Context, report: Report) -> None:
    """Create, read, list, replace, patch and delete one item; show what a stale writer is told."""
    with (
        report.step("crud_api: create an item, read it back, find it by its tag") as step,
        httpx.Client(base_url=context.api("crud_api"), timeout=30) as api,
    ):
        created = api.post("/items", json=ITEM)
        step.evidence("POST /items", f"{created.status_code}, ETag {created.headers.get('etag')}")
        step.check(created.status_code == 201, f"expected 201: {created.text}")
        path = f"/items/{created.json()['id']}"
        read = api.get(path)
        step.evidence(f"GET {path}", f"{read.status_code}, {len(read.content)} bytes")
        step.check(read.json() == created.json(), "the item read differs from the one created")
        unchanged = api.get(path, headers={"If-None-Match": created.headers["etag"]})
        step.evidence("the same ETag", unchanged.status_code)
        step.check(unchanged.status_code == 304, f"expected 304, got {unchanged.status_code}")
        listed = api.get("/items", params={"tag": "lighting", "limit": 5}).json()["items"]
        step.evidence("?tag=lighting", f"{len(listed)} found, newest first")
        step.check(listed[0]["id"] == created.json()["id"], "the newest item is not the first")

    with (
        report.step("crud_api: two writers, one wins; the other is told what it missed") as step,
        httpx.Client(base_url=context.api("crud_api"), timeout=30) as api,
    ):
        created = api.post("/items", json=ITEM)
        path, etag = f"/items/{created.json()['id']}", created.headers["etag"]
        first = api.patch(path, json={"attributes": {"watts": 9}}, headers={"If-Match": etag})
        step.evidence("PATCH, first", f"{first.status_code}, ETag {first.headers.get('etag')}")
        step.check(first.status_code == 200, f"expected 200: {first.text}")
        stale = api.put(path, json=ITEM, headers={"If-Match": etag})
        step.evidence("PUT, stale", f"{stale.status_code} {stale.json().get('title')}")
        step.check(stale.status_code == 412, f"expected 412: {stale.text}")
        blind = api.put(path, json=ITEM)
        step.evidence("PUT, no ETag", f"{blind.status_code} {blind.json().get('title')}")
        step.check(blind.status_code == 428, f"expected 428: {blind.text}")
        replaced = api.put(path, json=ITEM, headers={"If-Match": first.headers["etag"]})
        step.evidence(
            "PUT, current", f"{replaced.status_code}, version {replaced.json().get('version')}"
        )
        step.check(replaced.json().get("version") == 3, f"expected version 3: {replaced.text}")
        deleted = api.delete(path)
        gone = api.get(path)
        step.evidence("DELETE, GET", f"{deleted.status_code}, {gone.status_code}")
        step.check((deleted.status_code, gone.status_code) == (204, 404), gone.text)

    with (
        report.step("crud_api: bad input is refused with every fault named") as step,
        httpx.Client(base_url=context.api("crud_api"), timeout=30) as api,
    ):
        refused = api.post("/items", json={"name": "", "tags": "lamp", "colour": "red"})
        step.evidence(
            "POST /items", f"{refused.status_code}, {refused.headers.get('content-type')}"
        )
        for fault in refused.json().get("errors", []):
            step.evidence(f"  {fault['pointer']}", fault["detail"])
        step.check(refused.status_code == 400, f"expected 400: {refused.text}")
        step.check(len(refused.json()["errors"]) == 3, "expected three faults")
