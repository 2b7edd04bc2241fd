"""Write `crud_api/openapi.json`, the contract as the repository keeps it, or check it for drift.

python crud_api/write_openapi.py           writes it and prints its path
python crud_api/write_openapi.py --check   exit status 1 where it is not what the code says
"""

import argparse
import difflib
import importlib
import os
import sys
from pathlib import Path

PART = Path(__file__).resolve().parent
OUTPUT = PART / "openapi.json"

# Whatever a stage sets, the document is the same; these let `app.py` be imported without one.
ENVIRONMENT = {
    "API_AUTH": "iam",
    "AWS_DEFAULT_REGION": "us-east-1",
    "CURSOR_SECRET": "none",
    "ITEMS_TABLE": "none",
}


def current_text() -> str:
    """Return the document as the code says it now."""
    os.environ |= ENVIRONMENT
    sys.path[:0] = [str(PART), str(PART / "vendor")]
    app = importlib.import_module("app")
    text: str = importlib.import_module("chalicelib.openapi").text(app.app.routes)
    return text


def main(arguments: list[str] | None = None) -> int:
    """Write or check the file, and return the exit status."""
    parser = argparse.ArgumentParser(
        description="Write crud_api/openapi.json from the code, or check that it is up to date."
    )
    parser.add_argument("--check", action="store_true", help="write nothing; 1 where it differs")
    options = parser.parse_args(arguments)
    text = current_text()
    try:
        if options.check:
            return _check(text)
        OUTPUT.write_text(text, encoding="utf-8")
    except OSError as error:
        parser.exit(1, f"{OUTPUT}: {error.strerror}\n")
    print(OUTPUT)
    return 0


def _check(text: str) -> int:
    kept = OUTPUT.read_text(encoding="utf-8")
    if kept == text:
        return 0
    lines = difflib.unified_diff(
        kept.splitlines(), text.splitlines(), OUTPUT.name, "the code", lineterm=""
    )
    print(*lines, sep="\n")
    print(
        f"{OUTPUT} is not what the code says: run python crud_api/write_openapi.py", file=sys.stderr
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
