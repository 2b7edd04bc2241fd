"""The parts of the application that need no database."""

from __future__ import annotations

import re
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from webtier.application.notes import migrations, security, settings
from webtier.application.notes.credentials import ManagedSecret, SecretError

APPLICATION = settings.RDS_CERTIFICATES.parent
GOOD = '{"username": "administrator", "password": "first", "engine": "postgres"}'


class Secret:
    """A secret, and how often it was read."""

    def __init__(self, text: str) -> None:
        self.text, self.reads = text, 0

    def __call__(self, arn: str) -> str:
        self.reads += 1
        return self.text


def test_a_secret_is_read_once() -> None:
    read = Secret(GOOD)
    secret = ManagedSecret("arn", read)
    assert secret.current() == secret.current() == {"user": "administrator", "password": "first"}
    assert read.reads == 1


def test_refused_credentials_are_renewed_once_for_all_that_were_refused() -> None:
    read = Secret(GOOD)
    secret = ManagedSecret("arn", read)
    refused = secret.current()
    read.text = GOOD.replace("first", "second")
    renewed = secret.renewed(refused)
    assert renewed == {"user": "administrator", "password": "second"}
    assert secret.renewed(refused) == renewed == secret.current()
    assert read.reads == 2


def test_a_secret_that_still_says_what_was_refused_gives_nothing() -> None:
    secret = ManagedSecret("arn", Secret(GOOD))
    assert secret.renewed(secret.current()) is None


@pytest.mark.parametrize("text", ["hunter2", '{"username": "hunter2"}', '["hunter2"]'])
def test_an_unusable_secret_is_an_error_that_does_not_quote_it(text: str) -> None:
    with pytest.raises(SecretError, match="arn:x holds no user name") as caught:
        ManagedSecret("arn:x", Secret(text)).current()
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def request(method: str, host: str = "notes.example", **headers: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    builder = EnvironBuilder("/notes", base_url=f"https://{host}", method=method, headers=named)
    return Request(builder.get_environ())


@pytest.mark.parametrize(
    ("headers", "cross"),
    [
        ({"Sec_Fetch_Site": "same-origin"}, False),
        ({"Sec_Fetch_Site": "none"}, False),
        ({"Sec_Fetch_Site": "same-site"}, True),
        ({"Sec_Fetch_Site": "cross-site", "Origin": "https://notes.example"}, True),
        ({"Origin": "https://notes.example"}, False),
        ({"Origin": "https://notes.example:8443"}, False),
        ({"Origin": "https://notes.example.evil.test"}, True),
        ({"Origin": "null"}, True),
        ({}, False),
    ],
)
def test_only_this_sites_own_forms_are_taken(headers: dict[str, str], cross: bool) -> None:
    assert security.is_cross_site(request("POST", **headers)) is cross
    assert security.is_cross_site(request("GET", **headers)) is False


def test_the_host_may_have_a_port_and_be_an_ipv6_address() -> None:
    assert not security.is_cross_site(request("POST", "[::1]:8443", Origin="http://[::1]:9000"))
    assert security.is_cross_site(request("POST", "[::1]:8443", Origin="http://[::2]:8443"))


def test_the_environment_gives_the_settings() -> None:
    found = settings.Settings.of(
        {
            "DATABASE_SECRET_ARN": "arn:aws:secretsmanager:us-east-1:1:secret:x",
            "INSTANCE_ID": "i-1",
            "AVAILABILITY_ZONE": "us-east-1a",
            "APPLICATION_VERSION": "abc",
        }
    )
    assert (found.instance, found.zone, found.version) == ("i-1", "us-east-1a", "abc")
    assert found.certificates == str(settings.RDS_CERTIFICATES)


@pytest.mark.parametrize("name", ["PGSSLROOTCERT", "PGSSLMODE"])
def test_libpqs_own_variables_for_tls_come_first(name: str) -> None:
    assert settings.Settings.of({name: "x"}).certificates == ""


def test_the_certificates_are_of_rds_and_good_for_years() -> None:
    found = x509.load_pem_x509_certificates(settings.RDS_CERTIFICATES.read_bytes())
    regions = set()
    for certificate in found:
        name = certificate.subject.rfc4514_string()
        matched = re.search(
            r"CN=Amazon RDS ([a-z0-9-]+) Root CA (RSA2048|RSA4096|ECC384) G1,", name
        )
        assert matched, name
        assert r"O=Amazon Web Services\, Inc." in name
        regions.add(matched[1])
        certificate.verify_directly_issued_by(certificate)
        assert certificate.not_valid_after_utc > datetime.now(UTC) + timedelta(days=5 * 365)
    assert {"us-east-1", "eu-central-1", "ap-southeast-2", "sa-east-1"} <= regions
    assert len(found) == 3 * len(regions)
    # And the TLS library can read it as a whole.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(settings.RDS_CERTIFICATES)
    assert context.cert_store_stats()["x509_ca"] == len(found)


def test_migrations_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("0010_c.sql", "0002_b.sql", "0001_a.sql", "readme.txt"):
        (tmp_path / name).touch()
    assert list(migrations.available(tmp_path)) == [1, 2, 10]
    (tmp_path / "02_again.sql").touch()
    with pytest.raises(ValueError, match=r"0002_b\.sql and 02_again\.sql have the same number"):
        migrations.available(tmp_path)


def test_the_applications_own_migrations_have_no_gap() -> None:
    assert list(migrations.available()) == list(range(1, len(migrations.available()) + 1))


def test_no_template_has_a_script_or_a_style_of_its_own() -> None:
    """The content security policy would stop it."""
    for template in (APPLICATION / "notes" / "templates").glob("*.html"):
        assert not re.search(r"<script|<style|style=|\son[a-z]+=", template.read_text()), template
