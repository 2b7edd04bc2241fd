import pytest

from api_access import Access, AccessError
from crud_api.chalicelib.settings import Settings, SettingsError, settings_of

RECORDED = {"ITEMS_TABLE": "t", "CURSOR_SECRET": "s"}


def test_callers_sign_their_requests_unless_the_stage_says_otherwise():
    assert settings_of(RECORDED) == Settings("t", "s", list_shards=4, access=Access("iam"))


def test_who_may_call_is_read_with_the_rest():
    with pytest.raises(AccessError, match="API_AUTH is 'off'"):
        settings_of(RECORDED | {"API_AUTH": "off"})


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({}, "ITEMS_TABLE is not set"),
        ({"ITEMS_TABLE": ""}, "ITEMS_TABLE is not set"),
        ({"ITEMS_TABLE": "t"}, "CURSOR_SECRET is not set"),
        (RECORDED | {"LIST_SHARDS": "0"}, "LIST_SHARDS is '0'; it must be 1 to 128"),
        (RECORDED | {"LIST_SHARDS": "many"}, "LIST_SHARDS is 'many'"),
    ],
)
def test_a_setting_that_cannot_be(environ, message):
    with pytest.raises(SettingsError, match=message):
        settings_of(environ)
