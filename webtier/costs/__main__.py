"""`python -m webtier.costs`."""

from __future__ import annotations

import sys

from webtier.costs.cli import main

if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
