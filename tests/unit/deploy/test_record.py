import json
from pathlib import Path
from typing import Any

import pytest

from deploy.errors import SettingsError
from deploy.record import record

POLICY = {"Version": "2012-10-17", "Statement": []}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    (folder / ".chalice").mkdir(parents=True)
    write_config(
        folder,
        {
            "version": "2.0",
            "app_name": "shop",
            "stages": {
                "prod": {"lambda_timeout": 29},
                "dev": {
                    "lambda_functions": {"process": {"lambda_timeout": 60}},
                    "environment_variables": {"API_AUTH": "iam", "TABLE": "old"},
                    "lambda_memory_size": 512,
                },
            },
            "api_gateway_stage": "api",
        },
    )
    return folder


def config_file(project: Path) -> Path:
    return project / ".chalice" / "config.json"


def write_config(project: Path, config: Any) -> None:
    config_file(project).write_text(json.dumps(config, indent=2) + "\n")


def test_outputs_are_recorded_and_everything_else_is_kept_in_place(project: Path) -> None:
    record(project, "dev", {"TABLE": "new", "BUCKET": "b"}, {"process": POLICY})

    config = json.loads(config_file(project).read_text())
    assert config["stages"]["dev"] == {
        "lambda_functions": {
            "process": {"lambda_timeout": 60, "iam_policy_file": "policy-dev-process.json"}
        },
        "environment_variables": {"API_AUTH": "iam", "TABLE": "new", "BUCKET": "b"},
        "lambda_memory_size": 512,
    }
    assert list(config) == ["version", "app_name", "stages", "api_gateway_stage"]
    assert list(config["stages"]["dev"]) == [
        "lambda_functions",
        "environment_variables",
        "lambda_memory_size",
    ]
    assert config["stages"]["prod"] == {"lambda_timeout": 29}
    assert json.loads((project / ".chalice" / "policy-dev-process.json").read_text()) == POLICY


def test_the_changed_files_are_returned_and_right_ones_are_not_touched(project: Path) -> None:
    policy = project / ".chalice" / "policy-dev-process.json"

    assert record(project, "dev", {"TABLE": "new"}, {"process": POLICY}) == (
        policy,
        config_file(project),
    )
    before = [path.stat().st_mtime_ns for path in (policy, config_file(project))]
    assert record(project, "dev", {"TABLE": "new"}, {"process": POLICY}) == ()
    assert [path.stat().st_mtime_ns for path in (policy, config_file(project))] == before


def test_files_are_written_with_two_spaces_and_a_final_newline(project: Path) -> None:
    record(project, "dev", {"NAME": "é"}, {})

    text = config_file(project).read_text(encoding="utf-8")
    assert text.endswith("}\n")
    assert '\n  "app_name"' in text
    assert '"NAME": "é"' in text


def test_a_stage_the_configuration_does_not_have_is_named(project: Path) -> None:
    with pytest.raises(SettingsError, match=r"config\.json has no stage local: add \"local\""):
        record(project, "local", {}, {"process": POLICY})

    assert [path.name for path in (project / ".chalice").iterdir()] == ["config.json"]


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_broken_configuration_is_named_and_left_alone(project: Path, text: str) -> None:
    config_file(project).write_text(text)

    with pytest.raises(SettingsError, match=r"config\.json is not (JSON|a JSON object)"):
        record(project, "dev", {}, {"process": POLICY})
    assert config_file(project).read_text() == text


def test_a_folder_that_is_no_chalice_project_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="not a Chalice project"):
        record(tmp_path, "dev", {}, {})


def test_a_write_that_fails_leaves_the_old_file_and_no_other(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = config_file(project).read_text()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        record(project, "dev", {"TABLE": "new"}, {})

    assert config_file(project).read_text() == before
    assert [path.name for path in (project / ".chalice").iterdir()] == ["config.json"]


def test_the_apis_policy_comes_and_goes_and_a_policy_of_ones_own_stays(project: Path) -> None:
    file = project / ".chalice" / "api-policy-dev.json"

    def named() -> str | None:
        name = json.loads(config_file(project).read_text())["stages"]["dev"]
        return name.get("api_gateway_policy_file")

    record(project, "dev", {}, {}, POLICY)
    assert named() == file.name
    assert json.loads(file.read_text()) == POLICY
    record(project, "dev", {}, {})
    assert named() is None
    config = json.loads(config_file(project).read_text())
    config["stages"]["dev"]["api_gateway_policy_file"] = "own.json"
    write_config(project, config)
    record(project, "dev", {}, {})
    assert named() == "own.json"
