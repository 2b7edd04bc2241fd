import sys
from collections import deque
from pathlib import Path

import pytest

from deploy import chalice
from deploy.errors import ChaliceError


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / ".chalice").mkdir()
    return tmp_path


# What Chalice 1.34 printed when `chalice delete` met an API that was gone.
TRACEBACK = """\
Deleting Rest API: c53099de
Traceback (most recent call last):
  File "chalice/cli/__init__.py", line 642, in main
    return cli(obj={})
chalice.deploy.deployer.ChaliceDeploymentError: ERROR - While deploying your chalice application,
received the following error:

 An error occurred (AccessDeniedException) when calling the CreateFunction
 operation: not allowed
"""
DENIED = (
    "While deploying your chalice application, received the following error: An error occurred "
    "(AccessDeniedException) when calling the CreateFunction operation: not allowed"
)


@pytest.mark.parametrize(
    ("output", "statement"),
    [
        (
            TRACEBACK,
            DENIED,
        ),
        ("Traceback (most recent call last):\n\nKeyError: 'TABLE'\n", "KeyError: 'TABLE'"),
        ("", "it printed nothing"),
    ],
)
def test_the_reason_is_chalices_last_statement(output: str, statement: str) -> None:
    assert chalice.reason(deque(output.splitlines())) == statement


def test_an_app_that_cannot_be_imported_is_told_in_one_line(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / ".chalice" / "config.json").write_text(
        '{"version": "2.0", "app_name": "shop", "stages": {"dev": {}}}'
    )
    (project / "app.py").write_text("import nowhere_to_be_found\n")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    shown: list[str] = []

    with pytest.raises(ChaliceError) as failure:
        chalice.run(project, "deploy", "dev", shown.append)

    assert str(failure.value) == (
        "chalice deploy failed: ModuleNotFoundError: No module named 'nowhere_to_be_found'"
    )
    assert len(failure.value.details) == 10
    assert not [line for line in shown if "Traceback" in line]


def test_chalice_runs_with_this_interpreter_in_the_projects_folder(project: Path) -> None:
    (project / ".chalice" / "config.json").write_text(
        '{"version": "2.0", "app_name": "shop", "stages": {"dev": {}}}'
    )
    (project / "app.py").write_text(
        "import pathlib, sys\n"
        "pathlib.Path('seen.txt').write_text(sys.executable)\n"
        "raise SystemExit(3)\n"
    )

    with pytest.raises(ChaliceError):
        chalice.run(project, "deploy", "dev", print)
    assert (project / "seen.txt").read_text() == sys.executable
