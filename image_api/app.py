"""Routes and handlers of the image API."""

import os
from typing import TYPE_CHECKING, Any, cast

from chalice.app import Chalice, CORSConfig, Response

from chalicelib import formats, images, keys, storage, telemetry
from chalicelib.notifications import Notification, ends_at
from chalicelib.settings import Settings
from problem_details import cors_middleware, problem_middleware

if TYPE_CHECKING:
    from chalice.app import EventSourceHandler, Request

UPLOAD_TYPES = sorted(
    {"application/octet-stream", "image/jpg", "multipart/form-data"}
    | {each.media_type for each in formats.FORMATS}
)

# What documents hold changes, and their URLs are credentials.
UNCACHED: dict[str, str | list[str]] = {"Cache-Control": "no-store"}

telemetry.configure_logging()
settings = Settings.from_environment(os.environ)
# Made while the function starts, when Lambda gives it a whole processor.
store = storage.connect(settings.source_bucket, settings.destination_bucket, settings.cdn_base_url)

# Chalice's own log handler writes lines that are not JSON.
app = Chalice(app_name="image_api", configure_logs=False)
# API Gateway hands over every other type as text, which would damage the bytes.
app.api.binary_types = sorted({*app.api.binary_types, *UPLOAD_TYPES})
if settings.access.cors_origin:
    app.api.cors = CORSConfig(
        allow_origin=settings.access.cors_origin, expose_headers=["Location", "Retry-After"]
    )
    app.register_middleware(cors_middleware(app.api.cors), "http")
app.register_middleware(problem_middleware, "http")
authorizer = settings.access.authorizer()


@app.route("/images", methods=["POST"], content_types=UPLOAD_TYPES, authorizer=authorizer)
def create_image() -> Response:
    """Take an upload."""
    request = cast("Request", app.current_request)
    body = cast("bytes", request.raw_body)
    content_type = request.headers.get("content-type", "")
    image_id = images.create(store, content_type, body, settings.process_memory)
    # Relative to the request's URL, so it is right behind any stage name or base path (RFC 3986).
    location = f"images/{image_id}"
    return Response(
        {"id": image_id, "status": "pending", "links": {"self": location}},
        headers={"Location": location, **UNCACHED},
        status_code=202,
    )


@app.route("/images", methods=["GET"], authorizer=authorizer)
def list_images() -> Response:
    """Show a page of images."""
    request = cast("Request", app.current_request)
    documents, following = images.page(store, dict(request.query_params or {}))
    listed = [document | {"links": {"self": f"images/{document['id']}"}} for document in documents]
    return Response({"images": listed, "next": following}, headers=UNCACHED)


@app.route("/images/{image_id}", methods=["GET"], authorizer=authorizer)
def show_image(image_id: str) -> Response:
    """Show an image and its renditions."""
    document = images.show(store, image_id) | {"links": {"self": image_id}}
    return Response(document, headers=UNCACHED)


@app.route("/images/{image_id}", methods=["DELETE"], authorizer=authorizer)
def delete_image(image_id: str) -> Response:
    """Delete an image and its renditions."""
    images.delete(store, image_id)
    return Response("", status_code=204)


@app.route("/uploads", methods=["POST"], authorizer=authorizer)
def create_upload() -> Response:
    """Give out a form that uploads a file to S3, for what is too large to pass through here."""
    request = cast("Request", app.current_request)
    image_id, post = images.begin_upload(
        store, cast("bytes", request.raw_body), settings.max_upload_bytes
    )
    location = f"images/{image_id}"
    return Response(
        {
            "id": image_id,
            "url": post.url,
            "fields": post.fields,
            "expires_at": post.expires_at.isoformat().replace("+00:00", "Z"),
            "max_bytes": settings.max_upload_bytes,
            "links": {"image": location},
        },
        headers={"Location": location, **UNCACHED},
        status_code=201,
    )


@app.on_s3_event(
    bucket=settings.source_bucket,
    events=["s3:ObjectCreated:*", "s3:ObjectRemoved:*"],
    prefix=keys.SOURCES,
)
def process(notification: Notification) -> None:
    """Make the renditions of new uploads, and remove those of removed ones."""
    # Here, because every function imports this file, and the API's cold start needs none of it.
    from chalicelib import processing

    limits = processing.Limits(
        settings.max_upload_bytes, settings.function_memory, notification.ends_at
    )
    processing.process_all(store, limits, notification.changes)


# Chalice's S3Event reads the first record only, and fails on s3:TestEvent.
cast("EventSourceHandler", process).event_class = Notification


@app.lambda_function()
def reprocess(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Bring renditions up to date with the presets, as S3 Batch Operations asks for it."""
    from chalicelib import processing, reprocessing

    limits = processing.Limits(
        settings.max_upload_bytes, settings.function_memory, ends_at(context)
    )
    return reprocessing.reprocess(store, limits, event)
