"""Shared by all tests."""

from __future__ import annotations

import os

# Two test processes share two cores; torch's own threads would only get in each other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")
