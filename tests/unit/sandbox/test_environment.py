from __future__ import annotations

import configparser
import subprocess
from pathlib import Path

import boto3

from sandbox import environment

ENDPOINT = "http://127.0.0.1:4566"


def test_leftover_aws_settings_do_not_survive(tmp_path: Path) -> None:
    base = {
        "PATH": "/bin",
        "AWS_PROFILE": "production",
        "AWS_SESSION_TOKEN": "t",
        "AWS_REGION": "eu-west-1",
    }
    merged = environment.environment(base, ENDPOINT, tmp_path)
    assert merged["PATH"] == "/bin"
    assert merged["AWS_REGION"] == "us-east-1"
    assert not set(environment.CONFLICTING) & set(merged)


def test_exports_survive_the_shell_whatever_the_path(tmp_path: Path) -> None:
    directory = tmp_path / "it's a $HOME"
    script = (
        environment.exports(ENDPOINT, directory) + '\nprintf %s "$AWS_CONFIG_FILE/$AWS_PROFILE"'
    )
    shell = subprocess.run(
        ["bash", "-c", script], env={"AWS_PROFILE": "x"}, capture_output=True, text=True, check=True
    )
    assert shell.stdout == f"{directory}/aws/config/"


def test_each_account_has_a_profile(tmp_path: Path, monkeypatch) -> None:
    environment.write_profiles(ENDPOINT, tmp_path)
    config = configparser.ConfigParser()
    config.read(tmp_path / "aws" / "config")
    assert config.sections() == ["profile workload", "profile monitoring"]
    for name, value in environment.variables(ENDPOINT, tmp_path).items():
        monkeypatch.setenv(name, value)
    for profile, account in environment.ACCOUNTS.items():
        session = boto3.Session(profile_name=profile)
        assert session.get_credentials().access_key == account
        assert session.client("s3").meta.endpoint_url == ENDPOINT
