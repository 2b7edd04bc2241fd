import pytest
from chalice.app import IAMAuthorizer

ENVIRONMENT = {
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
    assert routes(load_app("crud_api", ENVIRONMENT)).keys() == {
        ("POST", "/items"),
        ("GET", "/items"),
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
    with pytest.raises(ValueError, match="API_AUTH is 'open'; it must be 'iam' or 'none'"):
        load_app("crud_api", ENVIRONMENT | {"API_AUTH": "open"})


def test_the_longest_request_ends_before_the_gateway_gives_up(load_app):
    """29 seconds: "Amazon API Gateway quotas"; the function itself has 28."""
    module = load_app("crud_api", ENVIRONMENT)
    config = module.table._client.meta.config
    attempts = config.retries["total_max_attempts"]
    # Standard mode waits at most 1, 2, 4 … seconds between tries ("Retry behavior", AWS SDKs).
    pauses = sum(2**retry for retry in range(attempts - 1))
    call = attempts * (config.connect_timeout + config.read_timeout) + pauses
    rounds = module.ItemTable.page.__globals__["ROUND_SECONDS"] + call
    assert max(2 * call, rounds) < 28
