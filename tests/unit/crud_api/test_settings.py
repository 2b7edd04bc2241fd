import pytest

from crud_api.chalicelib.settings import Settings, SettingsError, settings_of

RECORDED = {"ITEMS_TABLE": "t", "CURSOR_SECRET": "s"}


def test_callers_sign_their_requests_unless_the_stage_says_otherwise():
    assert settings_of(RECORDED) == Settings(
        "t", "s", list_shards=4, iam_auth=True, cors_origin=None
    )


def test_an_open_stage():
    environ = {**RECORDED, "API_AUTH": "none", "CORS_ORIGIN": "*"}
    assert settings_of(environ) == Settings(
        "t", "s", list_shards=4, iam_auth=False, cors_origin="*"
    )


def test_one_origin_with_signed_requests():
    environ = {**RECORDED, "CORS_ORIGIN": "https://example.com"}
    assert settings_of(environ).cors_origin == "https://example.com"


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({}, "ITEMS_TABLE is not set"),
        ({"ITEMS_TABLE": ""}, "ITEMS_TABLE is not set"),
        ({"ITEMS_TABLE": "t"}, "CURSOR_SECRET is not set"),
        (RECORDED | {"LIST_SHARDS": "0"}, "LIST_SHARDS is '0'; it must be 1 to 128"),
        (RECORDED | {"LIST_SHARDS": "many"}, "LIST_SHARDS is 'many'"),
        ({"ITEMS_TABLE": "t", "API_AUTH": "off"}, "API_AUTH is 'off'; it must be 'iam' or 'none'"),
        ({"ITEMS_TABLE": "t", "API_AUTH": ""}, "API_AUTH is ''; it must be 'iam' or 'none'"),
        ({"ITEMS_TABLE": "t", "CORS_ORIGIN": "*"}, "CORS_ORIGIN is '\\*'; .* one origin"),
    ],
)
def test_a_setting_that_cannot_be(environ, message):
    with pytest.raises(SettingsError, match=message):
        settings_of(environ)
