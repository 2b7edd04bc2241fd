"""The application on a real PostgreSQL, with its credentials in Secrets Manager."""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import boto3
import psycopg
import pytest

from sandbox import environment
from tests.integration.webtier.conftest import USER
from webtier.application.notes import database as database_module
from webtier.application.notes import migrations, notes
from webtier.application.notes.app import create_app
from webtier.application.notes.settings import Settings

if TYPE_CHECKING:
    from flask.testing import FlaskClient

    from tests.conftest import EmbeddedAws
    from tests.integration.webtier.conftest import Database

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture(scope="module")
def settings(database: Database, secret: str, embedded_aws: EmbeddedAws) -> Iterator[Settings]:
    """Settings, in an environment that leads to the database and the embedded AWS."""
    with pytest.MonkeyPatch.context() as patch:
        for name in environment.CONFLICTING:
            patch.delenv(name, raising=False)
        aws = environment.variables(embedded_aws.endpoint, embedded_aws.directory)
        for name, value in (database.variables() | aws).items():
            patch.setenv(name, value)
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        yield Settings(secret_arn=secret, instance="i-1", zone="us-east-1a", version="v1")


@pytest.fixture(scope="module")
def make_client(settings: Settings) -> Iterator[Callable[[], FlaskClient]]:
    """Starts one more process's worth of application."""
    made = []

    def make() -> FlaskClient:
        app = create_app(settings)
        made.append(app)
        return app.test_client()

    yield make
    for app in made:
        app.extensions["database"].close()


@pytest.fixture(scope="module")
def client(make_client: Callable[[], FlaskClient]) -> FlaskClient:
    return make_client()


@pytest.fixture
def outage(database: Database, client: FlaskClient) -> Iterator[Callable[[], None]]:
    """Loses the database as with its machine; it is back, and noticed, after the test."""

    def lose() -> None:
        database.server.stop(abruptly=True)

    yield lose
    if database.server.pid is None:
        database.server.start()
    eventually(lambda: client.get("/ready").status_code == 200)


def post(client: FlaskClient, path: str, **form: object) -> Any:
    return client.post(path, data=form, headers=SAME_ORIGIN)


def add(client: FlaskClient, text: str, identifier: str | None = None) -> str:
    identifier = identifier or str(uuid.uuid4())
    answer = post(client, "/notes", id=identifier, text=text)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/"), answer.text
    return identifier


def eventually(look: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, "it did not become true"
        time.sleep(0.05)


def test_a_note_is_added_listed_changed_and_deleted(client: FlaskClient) -> None:
    identifier = add(client, "  Buy milk & <b>bread</b>\r\nand eggs ")
    page = client.get("/").text
    assert "Buy milk &amp; &lt;b&gt;bread&lt;/b&gt;\nand eggs</p>" in page
    path = f"/notes/{identifier}"
    assert 'name="version" value="1"' in client.get(path).text
    changed = post(client, path, version=1, text="Buy oats")
    assert (changed.status_code, changed.headers["Location"]) == (303, "/")
    assert "Buy oats" in client.get("/").text
    assert post(client, f"{path}/delete").status_code == 303
    assert "Buy oats" not in client.get("/").text
    assert client.get(path).status_code == 404
    assert post(client, f"{path}/delete").status_code == 303


def test_a_form_sent_twice_adds_one_note(client: FlaskClient) -> None:
    identifier, text = str(uuid.uuid4()), uuid.uuid4().hex
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: add(client, text, identifier), range(8)))
    assert client.get("/").text.count(f'<p class="text">{text}</p>') == 1


def test_the_same_change_sent_twice_is_made_once(client: FlaskClient) -> None:
    path = f"/notes/{add(client, 'first')}"
    for _ in range(2):
        assert post(client, path, version=1, text="second").status_code == 303
    assert 'name="version" value="2"' in client.get(path).text


def test_of_two_changes_one_wins_and_the_other_keeps_its_text(client: FlaskClient) -> None:
    path = f"/notes/{add(client, 'original')}"
    assert post(client, path, version=1, text="from Ann").status_code == 303
    lost = post(client, path, version=1, text="from Bob")
    assert lost.status_code == 409
    assert "from Ann</blockquote>" in lost.text
    assert ">from Bob</textarea>" in lost.text
    assert post(client, path, version=2, text="from Bob").status_code == 303


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (" \r\n ", "Write something first."),
        ("x" * 2001, "at most 2,000 characters; this one has 2,001"),
        ("a\0b", "cannot contain the character NUL"),
    ],
)
def test_a_text_that_is_no_note_is_refused_and_kept_in_the_form(
    client: FlaskClient, text: str, problem: str
) -> None:
    refused = post(client, "/notes", id=uuid.uuid4(), text=text)
    assert refused.status_code == 422
    assert problem in refused.text
    path = f"/notes/{add(client, 'kept')}"
    refused = post(client, path, version=1, text=text)
    assert (refused.status_code, problem in refused.text) == (422, True)
    assert ">kept</textarea>" in client.get(path).text


def test_a_note_of_the_longest_text_is_taken(client: FlaskClient) -> None:
    add(client, "\U0001f4dd" * notes.MAX_LENGTH)


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/notes", {"text": "no id"}),
        ("/notes", {"id": "17", "text": "no UUID"}),
        ("/notes/00000000-0000-4000-8000-000000000000", {"text": "no version"}),
    ],
)
def test_a_form_without_its_hidden_fields_is_a_bad_request(
    client: FlaskClient, path: str, form: dict[str, str]
) -> None:
    assert post(client, path, **form).status_code == 400


def test_what_is_not_there_is_not_found(client: FlaskClient) -> None:
    missing = f"/notes/{uuid.uuid4()}"
    for path in (missing, "/notes/1", "/nothing", "/../etc/passwd"):
        assert client.get(path).status_code == 404, path
    assert post(client, missing, version=1, text="x").status_code == 404
    assert client.put("/").status_code == 405
    assert post(client, "/notes", id=uuid.uuid4(), text="x" * 100_000).status_code == 413


def test_older_notes_follow_page_by_page(client: FlaskClient) -> None:
    texts = [f"{uuid.uuid4().hex}" for _ in range(notes.PAGE_SIZE + 3)]
    for text in texts:
        add(client, text)
    seen: list[str] = []
    path = "/"
    while len(seen) < len(texts):
        page = client.get(path).text
        seen += re.findall(r'<p class="text">([^<]*)</p>', page)
        following = re.search(r'href="(/\?after=[^"]+)" rel="next"', page)
        if following is None:
            break
        path = following[1]
    assert seen[: len(texts)] == texts[::-1]


def test_the_page_says_which_instance_answered(client: FlaskClient) -> None:
    page = client.get("/").text
    assert '<strong id="instance">i-1</strong>' in page
    assert '<strong id="zone">us-east-1a</strong>' in page
    health = client.get("/health")
    assert health.json == {"status": "ok", "instance": "i-1", "zone": "us-east-1a", "version": "v1"}


def test_another_sites_form_is_refused(client: FlaskClient) -> None:
    form = {"id": str(uuid.uuid4()), "text": "stolen"}
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ):
        assert client.post("/notes", data=form, headers=headers).status_code == 403, headers
    assert client.get("/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200
    allowed = client.post("/notes", data=form, headers={"Origin": "http://localhost:8080"})
    assert allowed.status_code == 303


def test_every_answer_has_the_security_headers(client: FlaskClient) -> None:
    for path in ("/", "/health", "/nothing", "/static/style.css"):
        with client.get(path, headers={"X-Forwarded-Proto": "https"}) as answer:
            headers = answer.headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Strict-Transport-Security"].startswith("max-age=")
    assert client.get("/").headers["Cache-Control"] == "no-store"
    assert "Strict-Transport-Security" not in client.get("/").headers


def test_while_the_database_is_down_pages_say_so_and_health_does_not(
    client: FlaskClient, database: Database, outage: Callable[[], None]
) -> None:
    path = f"/notes/{add(client, 'before')}"
    assert client.get("/ready").status_code == 200
    outage()
    for answer in (client.get("/"), client.get(path), post(client, path, version=1, text="x")):
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert "Back in a moment" in answer.text
    assert "may not have been saved" in post(client, path, version=1, text="x").text
    assert client.get("/ready").status_code == 503
    assert client.get("/health").status_code == 200
    database.server.start()
    eventually(lambda: client.get("/ready").status_code == 200)
    assert ">before</textarea>" in client.get(path).text


def test_after_one_request_waited_in_vain_the_next_ones_do_not(
    client: FlaskClient, outage: Callable[[], None]
) -> None:
    add(client, "x")
    outage()
    eventually(lambda: client.get("/").status_code == 503)
    started = time.perf_counter()
    assert client.get("/").status_code == 503
    assert time.perf_counter() - started < database_module.PATIENCE / 2


def test_it_starts_while_the_database_is_down(
    make_client: Callable[[], FlaskClient], database: Database, outage: Callable[[], None]
) -> None:
    outage()
    client = make_client()
    assert client.get("/health").status_code == 200
    assert client.get("/").status_code == 503
    database.server.start()
    eventually(lambda: client.get("/").status_code == 200)


def test_warmed_up_it_has_its_connection_and_its_schema(
    make_client: Callable[[], FlaskClient], outage: Callable[[], None], monkeypatch
) -> None:
    warm, cold = (make_client().application.extensions["database"] for _ in range(2))
    warm.warm_up()
    assert warm._pool.get_stats()["pool_size"] == 1
    assert warm._migrated
    outage()
    monkeypatch.setattr(database_module, "WARM_UP", 0.5)
    cold.warm_up()
    assert not cold._migrated


def answers(client: FlaskClient) -> bool:
    """Whether a page is shown; else it says that the database is away.

    A machine that is busy may not connect anew within a request's patience.
    """
    status = client.get("/").status_code
    assert status in (200, 503)
    return status == 200


def test_connections_that_broke_while_idle_are_replaced(
    client: FlaskClient, database: Database
) -> None:
    add(client, "x")
    database.front.hang_up()
    eventually(lambda: answers(client))


def test_a_new_password_is_read_when_the_old_one_is_refused(
    client: FlaskClient, database: Database, embedded_aws: EmbeddedAws, secret: str
) -> None:
    add(client, "before the rotation")
    password = uuid.uuid4().hex
    database.server.set_password(password)
    text = json.dumps({"username": USER, "password": password})
    secrets_manager = embedded_aws.client("secretsmanager")
    secrets_manager.put_secret_value(SecretId=secret, SecretString=text)
    database.front.hang_up()
    eventually(lambda: answers(client))


def test_a_database_that_nobody_vouches_for_is_not_used(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("PGSSLROOTCERT", "PGSSLMODE"):
        monkeypatch.delenv(name)
    app = create_app(replace(settings, certificates=Settings.of({}).certificates))
    try:
        assert app.test_client().get("/").status_code == 503
    finally:
        app.extensions["database"].close()
    assert "certificate verify failed" in capsys.readouterr().out


def test_the_log_has_a_line_a_request_and_no_secret(
    make_client: Callable[[], FlaskClient],
    embedded_aws: EmbeddedAws,
    secret: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    client = make_client()
    add(client, "private")
    client.get("/?after=nothing", headers={"X-Amzn-Trace-Id": "Root=1-2"})
    client.get("/health")
    printed = capsys.readouterr().out
    lines = [json.loads(line) for line in printed.splitlines()]
    requests = [line for line in lines if line["message"] == "request"]
    assert [(line["method"], line["path"], line["status"]) for line in requests] == [
        ("POST", "/notes", 303),
        ("GET", "/", 200),
    ]
    assert requests[1]["trace"] == "Root=1-2"
    assert {line["instance"] for line in lines} == {"i-1"}
    kept = embedded_aws.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]
    assert "private" not in printed
    assert json.loads(kept)["password"] not in printed


def connect(database: Database) -> psycopg.Connection:
    return database.server._owner()


def test_instances_that_start_together_migrate_once(database: Database, tmp_path) -> None:
    (tmp_path / "0001_one.sql").write_text("CREATE TABLE one (x integer); SELECT pg_sleep(0.2);")
    (tmp_path / "0002_two.sql").write_text("CREATE TABLE two (x integer);")
    with connect(database) as owner:
        owner.execute("CREATE DATABASE together")
    barrier = threading.Barrier(4)

    def start(_: int) -> list[str]:
        with connect(database) as owner:
            info = owner.info
            with psycopg.connect(
                host=info.host, port=info.port, user=info.user, password=info.password,
                dbname="together", sslmode="disable",
            ) as connection:  # fmt: skip
                barrier.wait()
                return migrations.migrate(connection, tmp_path)

    with ThreadPoolExecutor(4) as threads:
        done = sorted(threads.map(start, range(4)), key=len)
    assert done == [[], [], [], ["0001_one.sql", "0002_two.sql"]]


def test_a_migration_that_fails_leaves_nothing(database: Database, tmp_path) -> None:
    (tmp_path / "0001_good.sql").write_text("CREATE TABLE good (x integer)")
    (tmp_path / "0002_bad.sql").write_text("CREATE TABLE bad (x integer); SELECT 1/0")
    with connect(database) as owner:
        with pytest.raises(psycopg.errors.DivisionByZero):
            migrations.migrate(owner, tmp_path)
        assert owner.execute("SELECT to_regclass('good')").fetchone() == (None,)
