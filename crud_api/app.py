"""The items API: routes and handlers. What they do is in `chalicelib`."""

import os
from typing import Any, cast

from chalice.app import Chalice, CORSConfig, Request, Response

from api_access import caller
from chalicelib import (
    batch_operations,
    batches,
    clients,
    cursors,
    items,
    operations,
    requests,
    responses,
    routing,
)
from chalicelib.cursor_keys import CursorKeys
from chalicelib.settings import settings_of
from chalicelib.table import ItemTable
from problem_details import cors_middleware, problem_middleware

settings = settings_of(os.environ)
table = ItemTable(
    clients.dynamodb(max(settings.list_shards, 10)), settings.table_name, settings.list_shards
)
cursor_keys = CursorKeys(clients.secrets_manager, settings.cursor_secret)

app = Chalice(app_name="crud_api")
if settings.access.cors_origin is not None:
    app.api.cors = CORSConfig(
        allow_origin=settings.access.cors_origin,
        allow_headers=["Idempotency-Key", "If-Match", "If-None-Match"],
        expose_headers=["ETag", "Idempotency-Replayed", "Location", "Retry-After"],
        max_age=600,
    )
    app.register_middleware(cors_middleware(app.api.cors), "http")
app.register_middleware(problem_middleware, "http")

# No content_types: Chalice takes a request without a Content-Type for JSON, and refuses a GET that
# has another one. requests.json_body reads the header where there is a body to read.
ROUTE: dict[str, Any] = {
    "content_types": [],
    "authorizer": settings.access.authorizer(),
    "api_key_required": settings.api_keys,
}


def current_request() -> Request:
    """Return the request being handled. Chalice sets it before it calls a handler."""
    return cast(Request, app.current_request)


def json_request() -> Request:
    """Return the request being handled, whose answer is JSON. Problem: it does not take JSON."""
    request = current_request()
    requests.check_accept(request, requests.JSON)
    return request


def items_table(request: Request) -> ItemTable:
    """Return the table, for as long as the request may take."""
    return table.until(requests.deadline(request))


@app.route("/items", methods=["POST"], **ROUTE)
def create_item() -> Response:
    """Create an item."""
    request = json_request()
    document = requests.json_body(request, [requests.JSON], items.faults_of)
    intent = requests.intent(request, document)
    item, replayed = operations.create_item(items_table(request), document, intent)
    # The path as the client sees it, with the stage of the API in front.
    location = f"{request.context['path'].rstrip('/')}/{item.id}"
    return responses.item_response(item, 201, location, replayed=replayed)


@app.route("/items:batch", methods=["POST"], **ROUTE)
def write_items() -> Response:
    """Create, replace and delete many items, each for itself or (atomic) all or none."""
    request = json_request()
    requests.no_intent(request)
    atomic = requests.atomic(request)
    document = requests.json_body(request, [requests.JSON], batches.faults_of, batches.BATCH_DEPTH)
    results = batch_operations.run_batch(items_table(request), document, atomic=atomic)
    return responses.batch_response(results)


@app.route("/items", methods=["GET"], **ROUTE)
def list_items() -> Response:
    """List items, newest first."""
    request = json_request()
    query = requests.list_query(request)
    scope = cursors.Scope(query.tag, caller(request))
    deadline = requests.deadline(request)
    with operations.storage_problems():
        after = requests.position(query, scope, lambda name: cursor_keys.named(name, deadline))
        page = operations.list_items(table.until(deadline), after, query.limit, query.tag)
        return responses.page_response(
            page, lambda position: cursors.encode(position, scope, cursor_keys.current(deadline))
        )


@app.route("/items/{item_id}", methods=["GET"], **ROUTE)
def get_item(item_id: str) -> Response:
    """Get an item; 304 where If-None-Match lists its ETag."""
    request = json_request()
    if_none_match = requests.precondition(request, "If-None-Match")
    item = operations.get_item(items_table(request), item_id)
    if if_none_match is not None and if_none_match.matches_weakly(item.revision.text):
        return responses.not_modified(item)
    return responses.item_response(item, 200)


@app.route("/items/{item_id}", methods=["PUT"], **ROUTE)
def put_item(item_id: str) -> Response:
    """Replace an item (If-Match), or create one (If-None-Match: *)."""
    request = json_request()
    item, created = operations.put_item(
        items_table(request),
        item_id,
        requests.json_body(request, [requests.JSON], items.faults_of),
        requests.precondition(request, "If-Match"),
        requests.precondition(request, "If-None-Match"),
    )
    if created:
        return responses.item_response(item, 201, request.context["path"])
    return responses.item_response(item, 200)


@app.route("/items/{item_id}", methods=["PATCH"], **ROUTE)
def patch_item(item_id: str) -> Response:
    """Change an item by a JSON Merge Patch (If-Match)."""
    request = json_request()
    item = operations.patch_item(
        items_table(request),
        item_id,
        requests.json_body(request, [requests.MERGE_PATCH, requests.JSON], items.patch_faults),
        requests.precondition(request, "If-Match"),
    )
    return responses.item_response(item, 200)


@app.route("/items/{item_id}", methods=["DELETE"], **ROUTE)
def delete_item(item_id: str) -> Response:
    """Delete an item."""
    request = current_request()
    if_match = requests.precondition(request, "If-Match")
    operations.delete_item(items_table(request), item_id, if_match)
    return responses.no_content()


@app.route("/openapi.json", methods=["GET"], **ROUTE)
def get_openapi() -> Response:
    """Get the OpenAPI document of this API."""
    # Imported here and below, because nothing else needs it and a function starts faster without.
    from chalicelib import contract

    return contract.openapi_response(app.routes, current_request())


@app.route("/docs", methods=["GET"], **ROUTE)
def get_reference() -> Response:
    """Get the OpenAPI document as a page to read."""
    from chalicelib import contract

    return contract.page_response(app.routes, current_request())


# Where CORS is on, Chalice answers OPTIONS on every path by itself.
UNROUTED = [*routing.METHODS, *(["OPTIONS"] if settings.access.cors_origin is None else [])]


@app.route("/", methods=UNROUTED, **ROUTE)
@app.route(routing.GREEDY, methods=UNROUTED, **ROUTE)
def refuse() -> Response:
    """Answer what no other route does, which API Gateway would answer with 403."""
    described = {
        path: methods
        for path, methods in app.routes.items()
        if all(entry.view_name != "refuse" for entry in methods.values())
    }
    raise routing.refusal(described, routing.unrouted_path(current_request()))
