"""A photograph taken with the camera on its side, through the whole image pipeline."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import httpx
from PIL import Image, ImageChops, ImageOps, ImageStat

from benchmarks.photograph import photograph

if TYPE_CHECKING:
    from sandbox.tour.context import Context
    from sandbox.tour.report import Report

WIDTH, HEIGHT = 4000, 3000
ROTATED_90 = 6  # EXIF Orientation: shown upright, the picture is 3000 wide and 4000 high


def tour(context: Context, report: Report) -> None:
    """Upload, wait for the renditions, look at them; then upload something broken."""
    with report.step("image_api: a photograph becomes renditions, upright and watermarked") as step:
        picture = photograph(WIDTH, HEIGHT, orientation=ROTATED_90)
        step.evidence(
            "photograph", f"{WIDTH}×{HEIGHT} JPEG, EXIF orientation 6, {len(picture):,} bytes"
        )
        with httpx.Client(base_url=context.api("image_api"), timeout=30) as api:
            posted = api.post("/images", content=picture, headers={"Content-Type": "image/jpeg"})
            step.evidence(
                "POST /images", f"{posted.status_code}, Location {posted.headers.get('location')}"
            )
            step.check(posted.status_code == 202, f"expected 202: {posted.text}")
            image = step.wait(
                "the renditions", lambda: _settled(api, posted.json()["id"]), timeout=60
            )
        step.check(image["status"] == "ready", f"status {image['status']}: {image.get('problem')}")
        step.check(bool(image["renditions"]), "there are no renditions")
        for rendition in image["renditions"]:
            content = httpx.get(rendition["url"], timeout=30).raise_for_status().content
            with Image.open(io.BytesIO(content)) as opened:
                seen = opened.size
            step.evidence(
                f"  {rendition['preset']}",
                f"{seen[0]}×{seen[1]} {rendition['format']}, {len(content):,} bytes",
            )
            step.check(seen == (rendition["width"], rendition["height"]), f"it is {seen} in truth")
            step.check(seen[1] > seen[0], f"{seen} is not upright")
        marked, unmarked = _differences(picture, content)
        step.evidence(
            "watermark", f"differs by {marked:.1f} levels bottom right, {unmarked:.1f} top left"
        )
        step.check(marked > 2 * unmarked, "there is no watermark")

    with (
        report.step("image_api: what is broken is refused with a problem document") as step,
        httpx.Client(base_url=context.api("image_api"), timeout=30) as api,
    ):
        refused = api.post(
            "/images", content=b"a letter, no picture", headers={"Content-Type": "image/jpeg"}
        )
        step.evidence("a letter", f"{refused.status_code} {refused.json().get('detail')}")
        step.check(400 <= refused.status_code < 500, f"expected a 4xx: {refused.text}")
        content_type = refused.headers["content-type"]
        step.check(content_type == "application/problem+json", f"it is {content_type}")
        posted = api.post(
            "/images", content=picture[:50_000], headers={"Content-Type": "image/jpeg"}
        )
        step.evidence("half a picture", f"{posted.status_code} {posted.json().get('detail')}")
        step.check(posted.status_code == 422, f"expected 422: {posted.text}")
        # What is too large for the gateway goes to S3 by a form, where nothing looks at it.
        form = api.post("/uploads").json()
        sent = httpx.post(
            form["url"], data=form["fields"], files={"file": b"a letter, no picture"}, timeout=30
        )
        step.evidence(
            "a letter by a form", f"{sent.status_code}, up to {form['max_bytes']:,} bytes"
        )
        step.check(sent.status_code == 204, f"expected 204: {sent.text}")
        image = step.wait("its refusal", lambda: _settled(api, form["id"]), timeout=60)
        step.evidence("  refused", f"{image['status']}: {image['problem']['detail']}")
        step.check(image["status"] == "rejected", f"its status is {image['status']}")


def _differences(picture: bytes, rendition: bytes) -> tuple[float, float]:
    """How far a rendition is from the picture itself, bottom right and top left.

    Mean absolute differences of the luminance, in levels of 0 to 255.
    """
    with Image.open(io.BytesIO(picture)) as source, Image.open(io.BytesIO(rendition)) as made:
        plain = ImageOps.exif_transpose(source).convert("L").resize(made.size)
        difference = ImageChops.difference(plain, made.convert("L"))
    width, height = difference.size
    corners = (
        (width * 3 // 4, height * 7 // 8, width, height),
        (0, 0, width // 4, height // 8),
    )
    right, left = (ImageStat.Stat(difference.crop(box)).mean[0] for box in corners)
    return right, left


def _settled(api: httpx.Client, identifier: str) -> dict[str, Any] | None:
    """The image once it is no longer pending."""
    image: dict[str, Any] = api.get(f"/images/{identifier}").json()
    return image if image["status"] != "pending" else None
