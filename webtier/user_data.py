"""The script an instance runs at its first boot."""

from __future__ import annotations

from pathlib import Path

from troposphere import Base64, Sub

APPLICATION = Path(__file__).resolve().parent / "application"
INSTALLED = {
    "server.py": "/opt/webtier/server.py",
    "webtier.service": "/etc/systemd/system/webtier.service",
}
_END = "END-OF-FILE"


def encoded(resource: str) -> Base64:
    """The script as `UserData`; `resource` is the logical id that waits to hear of its success."""
    # `${!` is how Fn::Sub is told to leave a `${` of the script alone.
    body = installation().replace("${", "${!")
    return Base64(Sub(settings(resource, "${AWS::StackName}", "${AWS::Region}") + body))


def settings(resource: str, stack: str, region: str) -> str:
    """The first lines of the script: the interpreter and the variables the rest needs."""
    return f"#!/bin/bash\nRESOURCE='{resource}'\nSTACK='{stack}'\nREGION='{region}'\n\n"


def installation() -> str:
    """The script without its settings: it writes the application's files, then starts it.

    Raises ValueError for a file that contains the line which marks its end.
    """
    files = [_written(name, target) for name, target in INSTALLED.items()]
    return "\n".join([*files, (APPLICATION / "install.sh").read_text(encoding="utf-8")])


def _written(name: str, target: str) -> str:
    text = (APPLICATION / name).read_text(encoding="utf-8")
    if _END in text.splitlines():
        raise ValueError(f"{name} contains the line {_END}, which marks its end in the user data")
    return f"install -D -m 0644 /dev/stdin {target} <<'{_END}'\n{text}{_END}\n"
