import json

import pytest
from chalice.app import (
    BadRequestError,
    Chalice,
    ChaliceUnhandledError,
    CORSConfig,
    NotFoundError,
    Request,
    Response,
)
from chalice.test import Client

from problem_details import (
    CONTENT_TYPE,
    FieldError,
    Problem,
    ProblemType,
    cors_middleware,
    problem_middleware,
    type_of_status,
)

TEAPOT = ProblemType("teapot", "This is a teapot", 418)


@pytest.fixture
def client():
    app = Chalice("problem-details-test", configure_logs=False)
    app.register_middleware(
        cors_middleware(CORSConfig("https://example.com", expose_headers=["ETag"])), "http"
    )
    app.register_middleware(problem_middleware, "http")

    @app.route("/brew/{what}")
    def brew(what):
        match what:
            case "problem":
                raise Problem(
                    TEAPOT,
                    "Short and stout.",
                    [FieldError("/handle", "is missing")],
                    {"Retry-After": "3"},
                    {"spout": True},
                )
            case "unhandled":
                raise ChaliceUnhandledError("secret")
            case "crash":
                raise RuntimeError("secret")
            case "bad":
                raise BadRequestError("no leaves")
            case "missing":
                raise NotFoundError("no pot")
            case "own":
                return Response("{}", {"Content-Type": CONTENT_TYPE}, 409)
            case "broken":
                return Response({"Code": "X", "Message": "secret"}, {"Retry-After": "9"}, 502)
        return {"tea": what}

    @app.route("/brew/{what}", methods=["POST"])
    def post(what):
        return {}

    return Client(app)


def document(response):
    assert response.headers["Content-Type"] == CONTENT_TYPE
    assert response.headers["Cache-Control"] == "no-store"
    members = json.loads(response.body)
    assert members["status"] == response.status_code
    assert members.pop("instance").startswith("urn:uuid:")
    return members


def test_a_problem_becomes_its_document(client):
    response = client.http.get("/brew/problem")
    assert document(response) == {
        "type": "/problems/teapot",
        "title": "This is a teapot",
        "status": 418,
        "detail": "Short and stout.",
        "errors": [{"pointer": "/handle", "detail": "is missing"}],
        "spout": True,
    }
    assert response.headers["Retry-After"] == "3"


@pytest.mark.parametrize(
    ("what", "status", "title", "detail"),
    [
        ("bad", 400, "Bad Request", "no leaves"),
        ("missing", 404, "Not Found", "no pot"),
    ],
)
def test_errors_of_a_view_become_documents(client, what, status, title, detail):
    members = document(client.http.get(f"/brew/{what}"))
    assert members == {
        "type": f"/problems/{title.lower().replace(' ', '-')}",
        "title": title,
        "status": status,
        "detail": detail,
    }


@pytest.mark.parametrize("what", ["crash", "unhandled", "broken"])
def test_a_server_error_tells_nothing_of_its_inside(client, what):
    response = client.http.get(f"/brew/{what}")
    assert document(response)["status"] == (502 if what == "broken" else 500)
    assert b"secret" not in response.body
    assert response.headers.get("Retry-After") == ("9" if what == "broken" else None)


@pytest.mark.parametrize(
    ("what", "logger"), [("unhandled", "problem_details"), ("crash", "problem-details-test")]
)
def test_an_unexpected_exception_is_logged_with_its_traceback(client, caplog, what, logger):
    client.http.get(f"/brew/{what}")
    assert logger in caplog.text
    assert "Traceback" in caplog.text
    assert "secret" in caplog.text


def test_an_unknown_method_and_media_type_become_documents(client):
    response = client.http.delete("/brew/tea")
    assert document(response)["detail"] == "Unsupported method: DELETE"
    assert response.headers["Allow"] == "GET, POST"
    response = client.http.post("/brew/tea", body=b"x", headers={"Content-Type": "text/plain"})
    assert document(response)["type"] == "/problems/unsupported-media-type"


def test_what_is_no_error_passes_through(client):
    response = client.http.get("/brew/green")
    assert (response.status_code, response.json_body) == (200, {"tea": "green"})
    response = client.http.get("/brew/own")
    assert (response.status_code, response.body) == (409, b"{}")


@pytest.mark.parametrize("path", ["/brew/green", "/brew/problem", "/brew/crash", "/brew/bad"])
def test_every_response_has_the_cors_headers(client, path):
    headers = client.http.get(path).headers
    assert headers["Access-Control-Allow-Origin"] == "https://example.com"
    assert headers["Access-Control-Expose-Headers"] == "ETag"


def test_a_405_has_the_cors_headers(client):
    headers = client.http.delete("/brew/tea").headers
    assert headers["Access-Control-Allow-Origin"] == "https://example.com"


def test_an_event_chalice_cannot_read_is_a_document():
    app = Chalice("no-request")
    app.register_middleware(problem_middleware, "http")
    response = app({"hello": 1}, None)
    assert response["statusCode"] == 500
    members = json.loads(response["body"])
    assert members["type"] == "/problems/internal-server-error"
    assert "instance" not in members


def test_the_middleware_answers_for_what_fails_around_it(caplog):
    def fail(request: Request | None) -> Response:
        raise ValueError("secret")

    response = problem_middleware(None, fail)
    assert response.status_code == 500
    assert "secret" not in response.body
    assert "ValueError: secret" in caplog.text


def test_members_left_out_where_they_are_empty():
    assert Problem(TEAPOT, "Short.").document() == {
        "type": "/problems/teapot",
        "title": "This is a teapot",
        "status": 418,
        "detail": "Short.",
    }


def test_an_extension_cannot_replace_a_member():
    with pytest.raises(ValueError, match="cannot be named detail, type"):
        Problem(TEAPOT, "", extensions={"type": "x", "detail": "y", "z": 1})


def test_half_a_surrogate_pair_is_sent_escaped():
    response = Problem(TEAPOT, "", [FieldError("/\ud800", "x")]).response()
    assert "\\ud800" in response.body


def test_the_type_of_a_status_has_its_phrase():
    assert type_of_status(405) == ProblemType("method-not-allowed", "Method Not Allowed", 405)
    with pytest.raises(ValueError, match="799"):
        type_of_status(799)
