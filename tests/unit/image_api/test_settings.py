from __future__ import annotations

import pytest

from api_access import Access, AccessError
from image_api.chalicelib.settings import Settings, SettingsError

GOOD = {"SOURCE_BUCKET": "a", "DESTINATION_BUCKET": "b", "API_AUTH": "none"}


def test_good_settings_are_read():
    assert Settings.from_environment(GOOD) == Settings("a", "b", Access("none"))


def test_a_stage_that_says_nothing_is_closed():
    settings = Settings.from_environment({"SOURCE_BUCKET": "a", "DESTINATION_BUCKET": "b"})
    assert settings.access == Access("iam")
    assert settings.max_upload_bytes == 50_000_000
    assert settings.cdn_base_url == ""


def test_optional_settings_are_read():
    settings = Settings.from_environment(
        GOOD
        | {
            "MAX_UPLOAD_BYTES": "1000",
            "CDN_BASE_URL": "https://img.example.com/a/",
            "PROCESS_MEMORY_MB": "3008",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        }
    )
    assert settings.process_memory == 3008 * 2**20
    assert settings.function_memory == 512 * 2**20
    assert settings.max_upload_bytes == 1000
    assert settings.cdn_base_url == "https://img.example.com/a"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"SOURCE_BUCKET": ""}, "SOURCE_BUCKET is not set"),
        ({"DESTINATION_BUCKET": ""}, "DESTINATION_BUCKET is not set"),
        ({"DESTINATION_BUCKET": "a"}, "both a: .* Use two buckets"),
        ({"MAX_UPLOAD_BYTES": "0"}, "MAX_UPLOAD_BYTES is '0'; it must be a whole number"),
        ({"MAX_UPLOAD_BYTES": "50 MB"}, "MAX_UPLOAD_BYTES is '50 MB'"),
        ({"MAX_UPLOAD_BYTES": "9" * 5000}, "MAX_UPLOAD_BYTES"),
        ({"PROCESS_MEMORY_MB": "1.5 GB"}, "PROCESS_MEMORY_MB is '1.5 GB'; .* lambda_memory_size"),
        ({"PROCESS_MEMORY_MB": "10241"}, "a whole number from 1 to 10240"),
        ({"CDN_BASE_URL": "http://img.example.com"}, "it must be an https URL"),
        ({"CDN_BASE_URL": "img.example.com"}, "it must be an https URL"),
        ({"CDN_BASE_URL": "https://img.example.com/?a=b"}, "it must be an https URL"),
        ({"CDN_BASE_URL": "https://img.example.com/a b"}, "it must be an https URL"),
    ],
)
def test_a_wrong_setting_is_named_with_its_fix(change, said):
    with pytest.raises(SettingsError, match=said):
        Settings.from_environment(GOOD | change)


def test_who_may_call_is_read_with_the_rest():
    with pytest.raises(AccessError, match="API_AUTH is 'open'"):
        Settings.from_environment(GOOD | {"API_AUTH": "open"})
