"""The items API: routes and handlers. What they do is in `chalicelib`."""

import os
from typing import cast

from chalice.app import Chalice, CORSConfig, IAMAuthorizer, Request, Response

from chalicelib import clients, operations, requests, responses
from chalicelib.settings import settings_of
from chalicelib.table import ItemTable
from problem_details import cors_middleware, problem_middleware

settings = settings_of(os.environ)
table = ItemTable(clients.dynamodb(), settings.table_name)

app = Chalice(app_name="crud_api")
if settings.cors_origin is not None:
    app.api.cors = CORSConfig(
        allow_origin=settings.cors_origin,
        allow_headers=["If-Match", "If-None-Match"],
        expose_headers=["ETag", "Location", "Retry-After"],
        max_age=600,
    )
    app.register_middleware(cors_middleware(app.api.cors), "http")
app.register_middleware(problem_middleware, "http")

AUTHORIZER = IAMAuthorizer() if settings.iam_auth else None


def current_request() -> Request:
    """Return the request being handled. Chalice sets it before it calls a handler."""
    return cast(Request, app.current_request)


# No content_types: Chalice takes a request without a Content-Type for JSON, and refuses a GET that
# has another one. requests.json_body reads the header where there is a body to read.
@app.route("/items", methods=["POST"], content_types=[], authorizer=AUTHORIZER)
def create_item() -> Response:
    """Create an item."""
    request = current_request()
    item = operations.create_item(table, requests.json_body(request, [requests.JSON]))
    # The path as the client sees it, with the stage of the API in front.
    location = f"{request.context['path'].rstrip('/')}/{item.id}"
    return responses.item_response(item, 201, location)


@app.route("/items", methods=["GET"], content_types=[], authorizer=AUTHORIZER)
def list_items() -> Response:
    """List items, newest first."""
    query = requests.list_query(current_request())
    return responses.page_response(
        operations.list_items(table, query.after, query.limit, query.tag)
    )


@app.route("/items/{item_id}", methods=["GET"], content_types=[], authorizer=AUTHORIZER)
def get_item(item_id: str) -> Response:
    """Get an item; 304 where If-None-Match lists its ETag."""
    if_none_match = requests.precondition(current_request(), "If-None-Match")
    item = operations.get_item(table, item_id)
    if if_none_match is not None and if_none_match.matches_weakly(item.revision):
        return responses.not_modified(item)
    return responses.item_response(item, 200)


@app.route("/items/{item_id}", methods=["PUT"], content_types=[], authorizer=AUTHORIZER)
def put_item(item_id: str) -> Response:
    """Replace an item (If-Match), or create one (If-None-Match: *)."""
    request = current_request()
    item, created = operations.put_item(
        table,
        item_id,
        requests.json_body(request, [requests.JSON]),
        requests.precondition(request, "If-Match"),
        requests.precondition(request, "If-None-Match"),
    )
    if created:
        return responses.item_response(item, 201, request.context["path"])
    return responses.item_response(item, 200)


@app.route("/items/{item_id}", methods=["PATCH"], content_types=[], authorizer=AUTHORIZER)
def patch_item(item_id: str) -> Response:
    """Change an item by a JSON Merge Patch (If-Match)."""
    request = current_request()
    item = operations.patch_item(
        table,
        item_id,
        requests.json_body(request, [requests.MERGE_PATCH, requests.JSON]),
        requests.precondition(request, "If-Match"),
    )
    return responses.item_response(item, 200)


@app.route("/items/{item_id}", methods=["DELETE"], content_types=[], authorizer=AUTHORIZER)
def delete_item(item_id: str) -> Response:
    """Delete an item."""
    operations.delete_item(table, item_id, requests.precondition(current_request(), "If-Match"))
    return responses.no_content()
