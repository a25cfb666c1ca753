"""One of everything that a distribution can add to edgevit."""

from pathlib import Path

TARGETS = Path(__file__).parent / "targets"
