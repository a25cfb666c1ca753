"""Tests, in the order of the packages that they test."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parent.parent
