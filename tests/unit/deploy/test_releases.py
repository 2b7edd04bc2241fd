import os
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from deploy import releases
from deploy.errors import SettingsError
from deploy.model import content_digest
from deploy.releases import Release

RELEASE = Release(
    version=0,
    time="2026-01-02 03:04:05 UTC",
    by="alice@laptop (process 1)",
    commit="abc1234",
    source="s.tar.gz",
    package="p.zip",
    code_sha256="code",
    content_sha256="content",
    package_bytes=1234567,
    per_operation=False,
    python=releases.PYTHON,
    chalice="1.34.0",
)


def part(folder: Path) -> Path:
    (folder / ".chalice" / "deployed").mkdir(parents=True)
    (folder / ".chalice" / "config.json").write_text("{}")
    (folder / ".chalice" / "deployed" / "dev.json").write_text("{}")
    (folder / "lib" / "__pycache__").mkdir(parents=True)
    (folder / "lib" / "__pycache__" / "a.pyc").write_text("")
    (folder / "lib" / "a.py").write_text("A = 1\n")
    return folder


def test_the_same_folder_gives_the_same_archive(tmp_path: Path) -> None:
    one, two = part(tmp_path / "one"), part(tmp_path / "two")
    os.utime(two / "lib" / "a.py", (0, 0))
    (two / "lib" / "a.py").chmod(0o600)
    # Code that two parts share is linked from one to the other.
    (one / "b.py").write_text("B = 2\n")
    (tmp_path / "shared.py").write_text("B = 2\n")
    (two / "b.py").symlink_to(tmp_path / "shared.py")

    assert releases.pack(one) == releases.pack(two)
    (two / "lib" / "a.py").write_text("A = 2\n")
    assert releases.pack(one) != releases.pack(two)


def test_the_same_content_packed_again_is_the_same_version() -> None:
    known, first = releases.with_release((), RELEASE)
    other = replace(RELEASE, content_sha256="other", code_sha256="other")
    known, second = releases.with_release(known, other)
    assert (first, second) == (1, 2)

    again = replace(RELEASE, code_sha256="packed again", time="later", by="bob", commit="")
    known, version = releases.with_release(known, again)

    assert version == 1
    assert [release.version for release in known] == [1, 2]
    assert known[0] == replace(RELEASE, version=1, code_sha256="packed again")


def test_the_oldest_versions_are_forgotten_and_their_numbers_are_not_used_again() -> None:
    known: tuple[Release, ...] = ()
    for number in range(60):
        known, version = releases.with_release(known, replace(RELEASE, source=str(number)))

    assert version == 60
    assert [release.version for release in known] == list(range(11, 61))


@pytest.mark.parametrize(("field", "name"), [("python", "Python"), ("chalice", "Chalice")])
def test_another_python_or_chalice_cannot_make_the_same_package(field: str, name: str) -> None:
    RELEASE.refuse_unless_reproducible()
    with pytest.raises(SettingsError, match=rf"with {name} 0\.1, and this is .*: roll back with"):
        replace(RELEASE, **{field: "0.1"}).refuse_unless_reproducible()


def test_a_package_is_known_by_its_content_not_by_when_it_was_packed(tmp_path: Path) -> None:
    packages = []
    for number, (year, extra) in enumerate([(2020, "x.pyc"), (2021, "y.pyc")]):
        packages.append(tmp_path / f"{number}.zip")
        with zipfile.ZipFile(packages[-1], "w") as archive:
            archive.writestr(zipfile.ZipInfo("app.py", (year, 1, 1, 0, 0, 0)), "app = 1")
            archive.writestr(f"lib/__pycache__/{extra}", "")

    assert content_digest(packages[0]) == content_digest(packages[1])
    assert releases.code_digest(packages[0]) != releases.code_digest(packages[1])
    with zipfile.ZipFile(packages[1], "a") as archive:
        archive.writestr("more.py", "")
    assert content_digest(packages[0]) != content_digest(packages[1])


def test_a_version_says_which_commit_it_was_made_from(tmp_path: Path) -> None:
    folder = part(tmp_path / "shop")
    assert releases.commit_of(folder) == ""
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    commit = git(tmp_path, "rev-parse", "--short", "HEAD")

    # The outputs of a stack are recorded by a deployment itself.
    (folder / ".chalice" / "config.json").write_text('{"stages": {}}')
    assert releases.commit_of(folder) == commit
    (folder / "lib" / "a.py").write_text("A = 2\n")
    assert releases.commit_of(folder) == f"{commit}+"


def git(folder: Path, *arguments: str) -> str:
    settings = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    ran = subprocess.run(
        ["git", *settings, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return ran.stdout.strip()
