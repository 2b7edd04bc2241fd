"""Which requests the console refuses because another site may have sent them."""

from __future__ import annotations

import pytest

from sandbox.console.guard import refusal

OWN = {
    "host": "127.0.0.1:4566",
    "origin": "http://127.0.0.1:4566",
    "sec-fetch-site": "same-origin",
    "content-type": "application/json",
    "x-sandbox-console": "1",
}


def test_its_own_page_may_read_and_change() -> None:
    assert refusal("GET", {"host": "localhost:4566"}) is None
    assert refusal("POST", OWN) is None


@pytest.mark.parametrize(
    "host", ["attacker.example:4566", "127.0.0.1.attacker.example", "localhost@evil.example", ""]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_name_that_was_rebound_to_this_machine_is_refused(method: str, host: str) -> None:
    assert refusal(method, OWN | {"host": host, "origin": f"http://{host}"}) is not None


@pytest.mark.parametrize(
    "sent",
    [
        {"origin": "http://attacker.example"},
        {"origin": "http://localhost:4566"},
        {"origin": "http://127.0.0.1:3000"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
    ],
)
def test_another_origin_and_what_a_form_can_send_are_refused(sent: dict[str, str]) -> None:
    assert refusal("POST", OWN | sent) is not None


@pytest.mark.parametrize("missing", ["origin", "content-type", "x-sandbox-console"])
def test_what_only_the_page_sends_must_be_there(missing: str) -> None:
    assert refusal("POST", {k: v for k, v in OWN.items() if k != missing}) is not None
