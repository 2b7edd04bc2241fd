"""Routes and handlers of the image API."""

import logging
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from chalice.app import Chalice, CORSConfig, IAMAuthorizer, Response

from chalicelib import images, keys, processing, storage
from chalicelib.notifications import ObjectCreated, objects_created
from chalicelib.settings import Settings
from problem_details import cors_middleware, problem_middleware

if TYPE_CHECKING:
    from chalice.app import EventSourceHandler, Request

UPLOAD_TYPES = [
    "application/octet-stream",
    "image/gif",
    "image/jpeg",
    "image/jpg",
    "image/png",
    "image/webp",
    "multipart/form-data",
]

settings = Settings.from_environment(os.environ)
# Made while the function starts, when Lambda gives it a whole processor.
store = storage.connect(settings.source_bucket, settings.destination_bucket)

app = Chalice(app_name="image_api")
app.log.setLevel(logging.INFO)
# API Gateway hands over every other type as text, which would damage the bytes.
app.api.binary_types = sorted({*app.api.binary_types, *UPLOAD_TYPES})
if settings.cors_origin:
    app.api.cors = CORSConfig(allow_origin=settings.cors_origin, expose_headers=["Location"])
    app.register_middleware(cors_middleware(app.api.cors), "http")
app.register_middleware(problem_middleware, "http")
authorizer = IAMAuthorizer() if settings.api_auth == "iam" else None


@app.route("/images", methods=["POST"], content_types=UPLOAD_TYPES, authorizer=authorizer)
def create_image() -> Response:
    """Take an upload."""
    request = cast("Request", app.current_request)
    body = cast("bytes", request.raw_body)
    image_id = images.create(store, request.headers.get("content-type", ""), body)
    # Relative to the request's URL, so it is right behind any stage name or base path (RFC 3986).
    location = f"images/{image_id}"
    return Response(
        {"id": image_id, "status": "pending", "links": {"self": location}},
        headers={"Location": location},
        status_code=202,
    )


@app.route("/images", methods=["GET"], authorizer=authorizer)
def list_images() -> dict[str, Any]:
    """Show a page of images."""
    request = cast("Request", app.current_request)
    documents, following = images.page(store, dict(request.query_params or {}))
    listed = [document | {"links": {"self": f"images/{document['id']}"}} for document in documents]
    return {"images": listed, "next": following}


@app.route("/images/{image_id}", methods=["GET"], authorizer=authorizer)
def show_image(image_id: str) -> dict[str, Any]:
    """Show an image and its renditions."""
    return images.show(store, image_id) | {"links": {"self": image_id}}


@app.route("/images/{image_id}", methods=["DELETE"], authorizer=authorizer)
def delete_image(image_id: str) -> Response:
    """Delete an image and its renditions."""
    images.delete(store, image_id)
    return Response("", status_code=204)


@app.on_s3_event(bucket=settings.source_bucket, events=["s3:ObjectCreated:*"], prefix=keys.SOURCES)
def process(created: Sequence[ObjectCreated]) -> None:
    """Make the renditions of new uploads."""
    processing.process_all(store, settings.source_bucket, created)


# Chalice's S3Event reads the first record only, and fails on s3:TestEvent.
cast("EventSourceHandler", process).event_class = objects_created
