"""`python -m webtier.drill`."""

from __future__ import annotations

import sys

from webtier import console
from webtier.drill.cli import main

if __name__ == "__main__":
    sys.exit(console.ended(main))
