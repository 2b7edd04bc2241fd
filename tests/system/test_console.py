"""The console in a real browser, in front of deployed parts: every flow a person can take."""

from __future__ import annotations

import base64
import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import expect

from benchmarks.photograph import photograph
from tests import axe
from tests import browser as browsers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Checkout
    from playwright.sync_api import Browser, Locator, Page

DESKTOP: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "is_mobile": True,
    "has_touch": True,
    "color_scheme": "dark",
}
SLOW = 120_000  # milliseconds; how long a busy machine may take


@dataclass(frozen=True)
class Deployed:
    """The sandbox with the parts whose flows the console shows."""

    checkout: Checkout
    endpoint: str
    apis: dict[str, str]

    def run(self, command: str) -> str:
        """Run a command as a person in the project does, after `eval "$(sandbox env)"`."""
        script = f'set -euo pipefail; eval "$(python -m sandbox env)"; {command}'
        done = self.checkout.run("bash", "-c", script)
        assert done.returncode == 0, done.stdout
        return done.stdout


@pytest.fixture(scope="module")
def deployed(checkout: Checkout) -> Deployed:
    started = checkout.run("python", "-m", "sandbox", "up", "--empty", "--detach")
    assert started.returncode == 0, started.stdout
    status = json.loads(checkout.run("python", "-m", "sandbox", "status", "--json").stdout)
    sandbox = Deployed(checkout, status["endpoint"], status["apis"])
    deploy = "python -m deploy {} --stage local"
    with ThreadPoolExecutor(2) as both:
        list(both.map(sandbox.run, [deploy.format("image_api"), deploy.format("crud_api")]))
    sandbox.run(deploy.format("monitoring"))
    status = json.loads(checkout.run("python", "-m", "sandbox", "status", "--json").stdout)
    return Deployed(checkout, status["endpoint"], status["apis"])


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=SLOW)
    with browsers.launched() as running:
        yield running
    expect.set_options(timeout=5_000)


@dataclass
class Visit:
    """A visit of the console, and what went on in the browser meanwhile."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)
    refusals: set[int] = field(default_factory=set)

    def listen(self) -> None:
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda message: self._said(message.type, message.text))
        self.page.on("request", lambda request: self._asked(request.url))

    def _said(self, kind: str, text: str) -> None:
        # The browser itself notes each answer of 400 and above; flows name those they provoke.
        status = re.search(r"responded with a status of (\d+)", text)
        if kind in ("error", "warning") and not (status and int(status[1]) in self.refusals):
            self.complaints.append(f"{kind}: {text}")

    def _asked(self, url: str) -> None:
        if host := urlsplit(url).hostname:
            self.hosts.add(host)


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def visit(request: pytest.FixtureRequest, browser: Browser, deployed: Deployed) -> Iterator[Visit]:
    context = browser.new_context(reduced_motion="reduce", **request.param)
    context.set_default_timeout(SLOW)
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=deployed.endpoint)
    made = Visit(context.new_page())
    made.listen()
    made.page.goto(f"{deployed.endpoint}/_sandbox/")
    expect(made.page.locator("#sample")).to_be_enabled()
    expect(made.page.locator("#save")).to_be_enabled()
    yield made
    width = made.page.evaluate("document.documentElement.scrollWidth - innerWidth")
    found = axe.violations(made.page)
    context.close()
    assert found == []
    assert made.complaints == []
    assert made.hosts <= {"127.0.0.1", "localhost"}
    assert width <= 0, "the page is wider than the window"


only_desktop = pytest.mark.parametrize("visit", [DESKTOP], ids=["desktop"], indirect=True)


def drop(page: Page, name: str, content: bytes) -> Locator:
    """Drop a file on the page; gives its card."""
    transfer = page.evaluate_handle(
        """([name, content]) => {
            const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], name, { type: "image/jpeg" }));
            return transfer;
        }""",
        [name, base64.b64encode(content).decode()],
    )
    for event in ("dragenter", "dragover", "drop"):
        page.dispatch_event("#drop", event, {"dataTransfer": transfer})
    return page.get_by_role("article", name=name)


def test_a_dropped_picture_becomes_renditions_to_compare(visit: Visit, deployed: Deployed) -> None:
    page, picture = visit.page, photograph(1600, 1200)
    with page.expect_response(lambda answer: answer.request.method == "POST") as posting:
        card = drop(page, "picture.jpg", picture)
    posted = posting.value
    expect(card.locator(".image-head .badge")).to_have_text("ready")
    # Another origin, and only CORS lets the page read the answer.
    assert urlsplit(posted.url).netloc != urlsplit(page.url).netloc
    assert posted.request.all_headers()["origin"] == deployed.endpoint
    assert posted.headers["access-control-allow-origin"] == "*"
    identifier = posted.json()["id"]
    image = httpx.get(f"{deployed.apis['image_api']}/images/{identifier}", timeout=60).json()
    rows = card.get_by_role("table").locator("tbody tr")
    expect(rows).to_have_count(len(image["renditions"]))
    largest = max(image["renditions"], key=lambda rendition: rendition["width"])
    size = f"{largest['width']} × {largest['height']}"
    expect(rows.first).to_contain_text(size)
    expect(card.locator(".steps")).to_contain_text(re.compile(r"Ready [\d.]+ m?s after"))

    slider = card.get_by_role("slider")
    before = stage_split(card)
    slider.focus()
    page.keyboard.press("Home")
    assert (before, stage_split(card)) == ("", "0%")
    right = card.get_by_alt_text(re.compile("^Right: xlarge"))
    page.wait_for_function("image => image.complete", arg=right.element_handle())
    assert right.evaluate("image => image.naturalWidth") == largest["width"]
    left = card.get_by_alt_text(re.compile("^Left: original"))
    assert left.evaluate("image => image.naturalWidth") == 1600
    card.get_by_label("Right picture").select_option(index=len(image["renditions"]))
    expect(card.get_by_alt_text(re.compile("^Right: small"))).to_be_visible()


def stage_split(card: Locator) -> str:
    split: str = card.locator(".stage").evaluate("stage => stage.style.getPropertyValue('--split')")
    return split


def test_what_is_refused_is_explained(visit: Visit) -> None:
    page = visit.page
    visit.refusals.add(415)
    with page.expect_response(lambda answer: answer.status == 415) as refusing:
        card = drop(page, "letter.jpg", b"Dear photographer, this is no picture.")
    problem = refusing.value.json()
    shown = card.get_by_role("alert")
    expect(shown).to_contain_text(problem["title"])
    expect(shown).to_contain_text(problem["detail"])
    expect(card.locator(".image-head .badge")).to_have_text("refused")
    card.get_by_role("button", name="Dismiss letter.jpg", exact=True).click()
    expect(card).to_have_count(0)


def test_a_picture_too_large_for_the_api_goes_to_s3_by_a_form(visit: Visit) -> None:
    # Bytes after its end belong to no image, and every decoder leaves them alone.
    large = photograph(640, 480) + bytes(5_000_000)
    card = drop(visit.page, "large.jpg", large)
    expect(card.locator(".image-head .badge")).to_have_text("ready")
    forms = visit.page.locator("#log .log-path", has_text="/api/uploads")
    expect(forms).to_have_count(1)


def create(page: Page, name: str) -> dict[str, Any]:
    page.get_by_role("button", name="New item", exact=True).click()
    page.get_by_label("Name").fill(name)
    page.get_by_label("Tags, separated by commas").fill("tea, green")
    page.get_by_label("Attributes, a JSON object").fill('{"grams": 100}')
    with page.expect_response(lambda answer: answer.request.method == "POST") as posting:
        page.get_by_role("button", name="Create", exact=True).click()
    expect(page.locator("#form-title")).to_have_text(f"Edit {name}")
    created: dict[str, Any] = posting.value.json()
    assert created["tags"] == ["tea", "green"]
    assert created["attributes"] == {"grams": 100}
    expect(page.locator("#etag")).to_have_text(posting.value.headers["etag"])
    return created


def describe_after_somebody_else(page: Page, description: str) -> None:
    """Somebody else changes the item, and then this page saves another description."""
    with page.expect_response(lambda answer: answer.request.method == "PATCH") as patching:
        page.get_by_role("button", name="Let somebody else change it", exact=True).click()
    assert patching.value.status == 200
    page.get_by_label("Description").fill(description)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("heading", name="Somebody else was here first")).to_be_focused()


def test_an_item_is_created_changed_in_conflict_and_deleted(
    visit: Visit, deployed: Deployed
) -> None:
    page = visit.page
    visit.refusals |= {400, 412}
    page.get_by_role("button", name="Create", exact=True).click()
    expect(page.get_by_label("Name")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#item-problem")).to_contain_text("400")

    item = create(page, "Sencha")
    url = f"{deployed.apis['crud_api']}/items/{item['id']}"
    first = page.locator("#etag").inner_text()
    describe_after_somebody_else(page, "Mine.")
    conflict = page.get_by_role("group", name="Conflict")
    expect(conflict).to_contain_text("412")
    expect(conflict.locator("tr.differs")).to_have_count(1)
    expect(conflict.locator("tr.differs td").first).to_have_text("Mine.")
    expect(conflict.locator("tr.differs td").last).to_contain_text("Changed by somebody else")
    assert axe.violations(page) == []
    conflict.get_by_role("button", name="Keep mine", exact=True).click()
    expect(conflict).to_have_count(0)
    stored = httpx.get(url, timeout=60)
    assert stored.json()["description"] == "Mine."
    assert stored.json()["version"] == 3
    expect(page.locator("#etag")).to_have_text(stored.headers["etag"])
    assert stored.headers["etag"] != first

    describe_after_somebody_else(page, "Mine again.")
    conflict.get_by_role("button", name="Take theirs", exact=True).click()
    expect(page.get_by_label("Description")).to_have_value(re.compile("somebody else"))
    expect(page.locator("#etag")).to_have_text(httpx.get(url, timeout=60).headers["etag"])

    # The command that is shown does the same: the stored version is deleted by its ETag.
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.locator("#form-title")).to_have_text("New item")
    assert httpx.get(url, timeout=60).status_code == 404
    expect(page.locator(f"[data-id='{item['id']}']")).to_have_count(0)


@only_desktop
def test_the_copied_command_does_the_same(visit: Visit, deployed: Deployed) -> None:
    page = visit.page
    item = create(page, "It's tea")
    box = page.locator("#item-command")
    box.get_by_role("button", name="Copy the command: Create an item", exact=True).click()
    expect(box.get_by_role("button")).to_have_text("Copied")
    command = page.evaluate("navigator.clipboard.readText()")
    created = json.loads(deployed.run(f"{command} --silent").splitlines()[-1])
    assert created["id"] != item["id"]
    same = ("name", "description", "tags", "attributes")
    assert {each: created[each] for each in same} == {each: item[each] for each in same}


@only_desktop
def test_the_keyboard_alone_is_enough(visit: Visit) -> None:
    page = visit.page

    def tab_to(target: Locator) -> None:
        for _ in range(120):
            page.keyboard.press("Tab")
            if target.evaluate("target => target === document.activeElement"):
                return
        pytest.fail(f"no Tab leads to {target}")

    tab_to(page.get_by_role("link", name="Skip to the content"))
    page.keyboard.press("Enter")
    tab_to(page.locator("#file"))
    tab_to(page.get_by_role("button", name="Upload a sample picture", exact=True))
    page.keyboard.press("Enter")
    card = page.get_by_role("article", name="evening.jpg").first
    expect(card.locator(".image-head .badge")).to_have_text("ready")
    tab_to(card.get_by_role("slider"))
    page.keyboard.press("ArrowRight")
    assert stage_split(card) == "51%"

    tab_to(page.get_by_role("button", name="New item", exact=True))
    page.keyboard.press("Enter")
    expect(page.locator("#form-title")).to_be_focused()
    tab_to(page.get_by_label("Name"))
    page.keyboard.type("Typed")
    page.keyboard.press("Enter")
    expect(page.locator("#form-title")).to_have_text("Edit Typed")
    expect(page.locator("#announcer")).to_contain_text("saved as version 1")
    tab_to(page.get_by_role("button", name="Delete", exact=True))
    page.keyboard.press("Enter")
    expect(page.locator("#form-title")).to_have_text("New item")
    expect(page.locator("#form-title")).to_be_focused()
    tab_to(page.get_by_role("button", name="Break image_api-local-process", exact=True))


@only_desktop
def test_a_broken_function_rings_and_recovers(visit: Visit, deployed: Deployed) -> None:
    page = visit.page
    function = "image_api-local-process"
    card = page.get_by_role("article", name=function)
    destination = (
        f"aws lambda get-function-configuration --function-name {function} "
        "--query Environment.Variables.DESTINATION_BUCKET --output text"
    )
    right = deployed.run(destination)
    card.get_by_role("button", name=f"Break {function}", exact=True).click()
    expect(card.locator(".bar .badge")).to_have_text("broken")
    assert deployed.run(destination) == f"missing-{right}"
    expect(page.locator("#alarm-count")).to_be_visible()
    rang = page.locator("#changes li", has_text="image_api/process/error-rate")
    expect(rang.locator(".badge", has_text="ALARM").first).to_be_visible()
    expect(page.locator(".lane", has_text="image_api/critical")).to_be_visible()
    assert axe.violations(page) == []

    card.get_by_role("button", name=f"Repair {function}", exact=True).click()
    expect(card.locator(".bar .badge")).to_have_text("works")
    assert deployed.run(destination) == right
    again = card.get_by_role("button", name="Process failed events again", exact=True)
    service = page.locator(".service", has=page.get_by_text("image_api", exact=True))
    over = service.locator("summary .badge", has_text="OK")
    for _ in range(60):
        if again.is_visible() and again.is_enabled():
            again.click(force=True)
        if over.is_visible():
            break
        page.wait_for_timeout(2000)
    expect(over).to_be_visible()
    expect(rang.locator(".badge", has_text="OK").first).to_be_visible()


def test_no_other_site_can_break_a_function(deployed: Deployed) -> None:
    wish = {"function": "crud_api-local", "broken": True}
    own = {"Origin": deployed.endpoint, "X-Sandbox-Console": "1"}
    url = f"{deployed.endpoint}/_sandbox/faults"
    for headers in (
        own | {"Origin": "http://attacker.example"},
        {"Origin": deployed.endpoint},
        {"X-Sandbox-Console": "1"},
        own | {"Host": "attacker.example"},
    ):
        assert httpx.post(url, json=wish, headers=headers, timeout=60).status_code == 403
    form = httpx.post(url, content=json.dumps(wish), headers=own, timeout=60)
    assert form.status_code == 403
    assert "Access-Control-Allow-Origin" not in httpx.options(url, timeout=60).headers
    rebound = httpx.get(f"{deployed.endpoint}/_sandbox/", headers={"Host": "attacker.example"})
    assert rebound.status_code == 403
    assert httpx.get(f"{deployed.apis['crud_api']}/items", timeout=60).status_code == 200


def test_no_other_site_can_use_the_embedded_aws(deployed: Deployed) -> None:
    key = "Credential=111111111111/20300101/us-east-1/lambda/aws4_request"
    signed = {"Authorization": f"AWS4-HMAC-SHA256 {key}, SignedHeaders=host, Signature=0"}
    other = {"Origin": "http://attacker.example", "Sec-Fetch-Site": "cross-site"}
    functions = f"{deployed.endpoint}/2015-03-31/functions/"
    assert httpx.get(functions, headers=signed, timeout=60).status_code == 200
    assert httpx.get(functions, headers=signed | other, timeout=60).status_code == 403
    # Without an answer to this, a browser does not send the request at all.
    preflight = httpx.options(functions, headers=other, timeout=60)
    assert preflight.status_code == 403
    assert "Access-Control-Allow-Origin" not in preflight.headers
    items = f"{deployed.apis['crud_api']}/items"
    assert httpx.get(items, headers=other, timeout=60).status_code == 200


def test_what_is_asked_wrongly_is_told(deployed: Deployed) -> None:
    own = {"Origin": deployed.endpoint, "X-Sandbox-Console": "1"}

    def post(path: str, body: Any) -> int:
        url = f"{deployed.endpoint}/_sandbox/{path}"
        return httpx.post(url, json=body, headers=own, timeout=60).status_code

    assert post("faults", []) == 400
    assert post("faults", {"function": "crud_api-local", "broken": "yes"}) == 400
    assert post("faults", {"function": "another", "broken": True}) == 404
    assert post("redrive", {"function": "crud_api-local"}) == 404
    assert post("faults", {"function": "x" * 20_000, "broken": True}) == 413
    assert post("status.json", {}) == 405
