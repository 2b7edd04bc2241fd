import io
import os
import sys
import zipfile
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


def test_a_package_has_the_same_bytes_wherever_and_whenever_it_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    files = {
        ".chalice/config.json": '{"version": "2.0", "app_name": "shop", "stages": {"dev": {}}}',
        "app.py": "from chalice import Chalice\napp = Chalice('shop')\n"
        "@app.lambda_function()\ndef work(event, context): return 1\n",
        **{f"chalicelib/{name}.py": f"# {name}\n" for name in ("b", "__init__", "a", "c")},
        **{f"vendor/{name}/__init__.py": f"# {name}\n" for name in ("two", "one", "three")},
    }
    packages = []
    # Folders list what was written in the one order as it came, and in the other as well.
    for number, names in enumerate((sorted(files), sorted(files, reverse=True))):
        project = tmp_path / str(number)
        for name in names:
            path = project / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[name])
            os.utime(path, (number * 10**9, number * 10**9))
        chalice.run(project, "package", "dev", print, [str(project / "packaged")])
        packages.append((project / "packaged" / "deployment.zip").read_bytes())
    assert packages[0] == packages[1]
    with zipfile.ZipFile(io.BytesIO(packages[0])) as archive:
        modules = [name for name in archive.namelist() if name.startswith("chalicelib/")]
    assert modules == sorted(modules)
    assert len(modules) == 4
