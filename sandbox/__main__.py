"""`python -m sandbox`."""

import sys

try:
    from sandbox.cli import main
except ModuleNotFoundError as error:
    if error.name is None or error.name.split(".")[0] == "sandbox":
        raise
    sys.exit(
        f"sandbox: the Python module {error.name!r} is missing. "
        "Run `make setup`, then use .venv/bin/python."
    )

if __name__ == "__main__":
    sys.exit(main())
