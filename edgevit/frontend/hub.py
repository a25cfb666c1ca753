"""Weights and configs from the Hugging Face hub, without a minute of retries when offline."""

from __future__ import annotations

import contextlib
import os
import socket
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

_SECONDS = 4.0
OFFLINE = "the Hugging Face hub cannot be reached, and they are not in its cache"


@contextlib.contextmanager
def hub_access() -> Iterator[None]:
    """Set the hub client offline within the context if the hub's host cannot be reached: it then
    reads only its cache.
    """
    try:
        from huggingface_hub import constants
    except ImportError:
        yield
        return
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or not _reachable(constants.ENDPOINT)
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def may_have(name: str) -> bool:
    """Check for a hub that can be reached, or a cached repository with `name` in its own."""
    try:
        from huggingface_hub import constants
    except ImportError:
        return False
    if not constants.HF_HUB_OFFLINE and _reachable(constants.ENDPOINT):
        return True
    cached = Path(constants.HF_HUB_CACHE).glob("models--*")
    return any(name.replace("/", "--") in path.name for path in cached)


def _reachable(endpoint: str) -> bool:
    url = urllib.parse.urlsplit(endpoint)
    if urllib.request.getproxies() or os.environ.get("HTTPS_PROXY"):
        return True  # the proxy resolves the name; let the client find out
    try:
        port = url.port or (443 if url.scheme == "https" else 80)
        socket.create_connection((url.hostname or "", port), timeout=_SECONDS).close()
    except OSError:
        return False
    return True
