from types import SimpleNamespace

import pytest
from chalice.app import CaseInsensitiveMapping

from crud_api.chalicelib import requests
from problem_details import Problem


def request(identity=None, **headers):
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    context = {} if identity is None else {"identity": identity}
    return SimpleNamespace(headers=CaseInsensitiveMapping(fields), context=context)


@pytest.mark.parametrize(
    "value",
    [
        "*/*",
        "application/json",
        "application/*",
        "Application/JSON; charset=utf-8",
        "text/html, application/json;q=0.1",
        "text/html;q=1, */*;q=0.001",
        "application/json;q=0.5, */*;q=0",
        "",
        " , ",
    ],
)
def test_accept_that_takes_json(value):
    requests.check_accept(request(Accept=value), "application/json")


@pytest.mark.parametrize(
    "value",
    [
        "text/html",
        "application/xml, text/*",
        "application/json;q=0",
        "application/json;q=0.000, */*",
        "*/*;q=0",
        "application/*;q=0, */*;q=1",
        "json",
    ],
)
def test_accept_that_excludes_json(value):
    with pytest.raises(Problem) as caught:
        requests.check_accept(request(Accept=value), "application/json")
    assert caught.value.problem_type.status == 406


def test_without_accept_all_is_taken():
    requests.check_accept(request(), "application/json")
