"""Weights and configs from the Hugging Face hub, without a minute of retries when offline."""

from __future__ import annotations

import contextlib
import os
import socket
import urllib.parse
import urllib.request
from collections.abc import Iterator

_SECONDS = 4.0


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
