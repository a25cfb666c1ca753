"""Templates of calling code, one a runtime and language."""

from pathlib import Path

TEMPLATES = Path(__file__).parent
