"""Which requests of browsers the embedded AWS refuses."""

from __future__ import annotations

import pytest

from sandbox.origins import refusal

HERE = {"host": "127.0.0.1:4566"}
LAMBDA = "/2015-03-31/functions/anything/code"
API = "/_aws/execute-api/abc/api/items"


def test_tools_and_pages_of_this_machine_are_served() -> None:
    assert refusal(LAMBDA, "", HERE) is None
    assert refusal("/", "", {"host": "bucket.s3.amazonaws.com"}) is None
    own = {"origin": "http://localhost:3000", "sec-fetch-site": "cross-site"}
    assert refusal(LAMBDA, "", HERE | own) is None


def test_a_picture_is_shown_on_any_page() -> None:
    assert (
        refusal("/bucket/picture.jpg", "X-Amz-Date=1", HERE | {"sec-fetch-site": "cross-site"})
        is None
    )


@pytest.mark.parametrize(
    "origin", ["https://attacker.example", "null", "http://localhost.attacker.example"]
)
def test_a_page_of_another_site_reaches_the_deployed_apis_only(origin: str) -> None:
    sent = HERE | {"origin": origin, "sec-fetch-site": "cross-site"}
    assert refusal(LAMBDA, "", sent) is not None
    assert refusal(API, "", sent) is None


def test_a_link_of_another_site_cannot_act() -> None:
    sent = HERE | {"sec-fetch-site": "cross-site"}
    assert refusal("/", "Action=CreateUser&UserName=mallory", sent) is not None


@pytest.mark.parametrize("path", [LAMBDA, API, "/_sandbox/"])
def test_a_name_that_was_rebound_to_this_machine_is_refused(path: str) -> None:
    sent = {"host": "attacker.example:4566", "sec-fetch-site": "same-origin"}
    assert refusal(path, "", sent) is not None
