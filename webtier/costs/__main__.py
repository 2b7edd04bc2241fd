"""`python -m webtier.costs`."""

from __future__ import annotations

import sys

from webtier import console
from webtier.costs.cli import main

if __name__ == "__main__":
    sys.exit(console.ended(main))
