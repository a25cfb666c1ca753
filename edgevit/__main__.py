"""`python -m edgevit` and the `edgevit` command."""

from __future__ import annotations

import sys

from edgevit.cli import main

if __name__ == "__main__":
    sys.exit(main())
