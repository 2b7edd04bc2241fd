"""The pages: a list with a form above it, one note to change or delete, and two health checks.

GET  /                    the newest notes; ?after=<id> the older ones
POST /notes               id, text: adds a note, once for each id
GET  /notes/<id>          the note in a form
POST /notes/<id>          version, text: changes it
POST /notes/<id>/delete   deletes it
GET  /health              200 while the process answers: for the load balancer
GET  /ready               200 while the database answers too, else 503: for people and probes
"""

from __future__ import annotations

import logging
import time
import uuid
from typing import TYPE_CHECKING, Any
from uuid import UUID

from flask import Flask, g, jsonify, redirect, render_template, request, url_for
from werkzeug.exceptions import BadRequest, Forbidden, HTTPException, NotFound

from . import notes, security, telemetry
from .database import Database, UnavailableError
from .settings import Settings

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue
    from werkzeug.wrappers import Response

# A form of the longest note, each of its characters four bytes of UTF-8 and percent-encoded.
MAX_FORM_BYTES = 64 * 1024
RETRY_AFTER_SECONDS = 5
STATIC_SECONDS = 3600


def create_app(settings: Settings | None = None) -> Flask:
    """The application; without settings, as the environment says."""
    settings = settings or Settings.of()
    telemetry.start(instance=settings.instance, zone=settings.zone, version=settings.version)
    app = Flask(__name__)
    app.config.update(
        MAX_CONTENT_LENGTH=MAX_FORM_BYTES,
        MAX_FORM_MEMORY_SIZE=MAX_FORM_BYTES,
        SEND_FILE_MAX_AGE_DEFAULT=STATIC_SECONDS,
    )
    database = Database(settings)
    app.extensions["database"] = database
    app.context_processor(lambda: {"served_by": settings, "max_length": notes.MAX_LENGTH})
    _add_requests(app)
    _add_health(app, database, settings)
    _add_pages(app, database)
    _add_errors(app)
    return app


def _add_pages(app: Flask, database: Database) -> None:
    @app.get("/")
    def index() -> ResponseReturnValue:
        after = request.args.get("after", type=UUID)
        with database.transaction() as connection:
            page = notes.newest(connection, after)
        return render_template("index.html", page=page, after=after, new_id=uuid.uuid4())

    @app.post("/notes")
    def add() -> ResponseReturnValue:
        identifier = _field("id", UUID)
        try:
            text = notes.cleaned(request.form.get("text", ""))
        except notes.InvalidNoteError as error:
            with database.transaction() as connection:
                page = notes.newest(connection)
            shown = {"page": page, "new_id": identifier, "text": request.form.get("text", "")}
            return render_template("index.html", problem=error, **shown), 422
        with database.transaction() as connection:
            notes.add(connection, identifier, text)
        return _to("index")

    @app.get("/notes/<uuid:identifier>")
    def show(identifier: UUID) -> ResponseReturnValue:
        with database.transaction() as connection:
            note = notes.find(connection, identifier)
        if note is None:
            raise NotFound
        return render_template("note.html", note=note, text=note.text)

    @app.post("/notes/<uuid:identifier>")
    def change(identifier: UUID) -> ResponseReturnValue:
        version, text = _field("version", int), request.form.get("text", "")
        try:
            cleaned = notes.cleaned(text)
            with database.transaction() as connection:
                changed = notes.change(connection, identifier, version, cleaned)
        except notes.InvalidNoteError as error:
            with database.transaction() as connection:
                current = notes.find(connection, identifier)
            if current is None:
                raise NotFound from None
            return render_template("note.html", note=current, text=text, problem=error), 422
        except notes.ConflictError as error:
            shown = {"note": error.current, "text": text, "conflict": True}
            return render_template("note.html", **shown), 409
        if changed is None:
            raise NotFound
        return _to("index")

    @app.post("/notes/<uuid:identifier>/delete")
    def delete(identifier: UUID) -> ResponseReturnValue:
        with database.transaction() as connection:
            notes.delete(connection, identifier)
        return _to("index")


def _field(name: str, kind: type[Any]) -> Any:
    value = request.form.get(name, type=kind)
    if value is None:
        raise BadRequest(f"The form's field {name} is missing or wrong. Load the page again.")
    return value


def _to(endpoint: str) -> Response:
    # 303 turns the post into a page view, so that loading it again posts nothing.
    return redirect(url_for(endpoint), code=303)


def _add_health(app: Flask, database: Database, settings: Settings) -> None:
    identity = {
        "instance": settings.instance,
        "zone": settings.zone,
        "version": settings.version,
    }

    @app.get("/health")
    def health() -> ResponseReturnValue:
        return jsonify(status="ok", **identity)

    @app.get("/ready")
    def ready() -> ResponseReturnValue:
        try:
            with database.transaction() as connection:
                connection.execute("SELECT 1")
        except UnavailableError:
            return jsonify(status="the database is not reachable", **identity), 503
        return jsonify(status="ready", **identity)


def _add_requests(app: Flask) -> None:
    """What happens to every request: a look at where it comes from, headers, a line in the log."""

    @app.before_request
    def begin() -> None:
        g.started = time.perf_counter()
        if security.is_cross_site(request):
            raise Forbidden("Another site sent this form. Use the form of this one.")

    @app.after_request
    def end(response: Response) -> Any:
        security.harden(request, response)
        # The load balancer asks every few seconds; only a refusal is news.
        if request.path != "/health" or response.status_code >= 400:
            telemetry.event(
                "request",
                method=request.method,
                path=request.path,
                status=response.status_code,
                milliseconds=round((time.perf_counter() - g.started) * 1000, 1),
                trace=request.headers.get("X-Amzn-Trace-Id"),
            )
        return response


def _add_errors(app: Flask) -> None:
    @app.errorhandler(UnavailableError)
    def unavailable(error: UnavailableError) -> ResponseReturnValue:
        telemetry.event("database unavailable", logging.WARNING, reason=str(error))
        writing = request.method not in security.SAFE_METHODS
        page = render_template("unavailable.html", writing=writing)
        return page, 503, {"Retry-After": str(RETRY_AFTER_SECONDS)}

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> ResponseReturnValue:
        if error.code is None or error.code < 400:
            return error
        headers = [pair for pair in error.get_headers() if pair[0] != "Content-Type"]
        return render_template("error.html", error=error), error.code, headers

    @app.errorhandler(Exception)
    def failed(_: Exception) -> ResponseReturnValue:
        telemetry.LOGGER.exception("request failed")
        return render_template("error.html", error=None), 500
