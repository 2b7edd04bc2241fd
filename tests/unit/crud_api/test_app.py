import pytest
from chalice.app import IAMAuthorizer

ENVIRONMENT = {
    "CURSOR_SECRET": "cursor-key",
    "ITEMS_TABLE": "items",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "-",
    "AWS_SECRET_ACCESS_KEY": "-",
    "API_AUTH": "iam",
    "CORS_ORIGIN": "",
}


def routes(module):
    return {
        (method, path): entry
        for path, methods in module.app.routes.items()
        for method, entry in methods.items()
    }


def test_the_routes(load_app):
    taken = routes(load_app("crud_api", ENVIRONMENT))
    assert {route for route, entry in taken.items() if entry.view_name != "refuse"} == {
        ("GET", "/docs"),
        ("GET", "/openapi.json"),
        ("POST", "/items"),
        ("GET", "/items"),
        ("POST", "/items:batch"),
        ("GET", "/items/{item_id}"),
        ("PUT", "/items/{item_id}"),
        ("PATCH", "/items/{item_id}"),
        ("DELETE", "/items/{item_id}"),
    }


def test_every_route_asks_for_a_signature(load_app):
    for entry in routes(load_app("crud_api", ENVIRONMENT)).values():
        assert isinstance(entry.authorizer, IAMAuthorizer)


def test_an_open_stage_asks_for_none(load_app):
    for entry in routes(load_app("crud_api", ENVIRONMENT | {"API_AUTH": "none"})).values():
        assert entry.authorizer is None


@pytest.mark.parametrize(("origin", "expected"), [("", None), ("https://a.example",) * 2])
def test_cors_is_what_the_stage_sets(load_app, origin, expected):
    for entry in routes(load_app("crud_api", ENVIRONMENT | {"CORS_ORIGIN": origin})).values():
        assert (entry.cors and entry.cors.allow_origin) == expected


def test_a_wrong_setting_stops_the_import(load_app):
    with pytest.raises(
        ValueError, match="API_AUTH is 'open'; it must be one of iam, cognito, none"
    ):
        load_app("crud_api", ENVIRONMENT | {"API_AUTH": "open"})


def test_the_longest_request_ends_before_the_gateway_gives_up(load_app):
    """29 seconds: "Amazon API Gateway quotas"; the function itself has 28."""
    module = load_app("crud_api", ENVIRONMENT)
    retries = module.ItemTable.until.__globals__["retries"]
    config = module.table._client.meta.config
    assert config.retries["total_max_attempts"] == 1
    assert config.connect_timeout + config.read_timeout <= retries.ATTEMPT_SECONDS
    # An attempt begins only where there is time for it.
    assert retries.REQUEST_SECONDS + retries.ANSWER_SECONDS < 28
