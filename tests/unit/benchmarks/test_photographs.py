from __future__ import annotations

import stat
from hashlib import sha256

import pytest

from benchmarks import photographs
from benchmarks.photographs import Photograph, PhotographsMissing

# Takes the place of apt-get and dpkg-deb: the "package" is the file itself.
PROGRAM = """#!/bin/sh
case "$1" in
download) test "$2" = animals || { echo "E: no $2" >&2; exit 100; }; printf deer > animals_1.deb ;;
--extract) mkdir -p "$3/usr" && cp "$2" "$3/usr/deer.jpg" ;;
esac
"""


@pytest.fixture
def offered(tmp_path, monkeypatch):
    """What can be fetched: one file with the content `deer`, in the package `animals`."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("apt-get", "dpkg-deb"):
        (programs / name).write_text(PROGRAM)
        (programs / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    monkeypatch.setattr(photographs, "FOLDER", tmp_path / "photographs")

    def offer(package: str = "animals", content: bytes = b"deer") -> None:
        wanted = Photograph(package, "usr/deer.jpg", sha256(content).hexdigest())
        monkeypatch.setattr(photographs, "PHOTOGRAPHS", (wanted,))

    return offer


def test_photographs_are_fetched_once(offered, capsys):
    offered()
    assert photographs.fetched() == ()
    photographs.fetch()
    (file,) = photographs.fetched()
    assert file.read_bytes() == b"deer"
    assert "Fetching" in capsys.readouterr().err
    photographs.fetch()
    assert capsys.readouterr().err == ""


def test_a_photograph_that_is_another_one_is_not_taken(offered):
    offered(content=b"stag")
    with pytest.raises(PhotographsMissing, match=r"animals has another deer\.jpg"):
        photographs.fetch()
    assert photographs.fetched() == ()


def test_a_package_that_cannot_be_had_is_told_in_its_words(offered):
    offered(package="plants")
    with pytest.raises(PhotographsMissing, match="apt-get download plants failed: E: no plants"):
        photographs.fetch()


def test_without_debians_programs_there_are_none(offered, monkeypatch):
    offered()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(PhotographsMissing, match="apt-get is not installed"):
        photographs.fetch()
