"""Passwords in the addresses of databases and servers: never shown, never written."""

from __future__ import annotations

import re
from urllib.parse import unquote

_HIDDEN = "***"
# Up to the last @ of the word: a password may have one of its own, and hiding too much does no harm.
_IN_URL = re.compile(r"(:/{1,2}[^\s:/@'\"`]*):([^\s'\"`]*)@")
_NAMES = r"password|passwd|pwd|passphrase|secret|token|api[_-]?key"
_BY_NAME = re.compile(
    rf"(\w*(?:{_NAMES}))(\s*=\s*)('(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|[^\s&'\"`,;]+)",
    re.IGNORECASE,
)

_CONNECTION = re.compile(
    r"\s*(host|hostaddr|port|dbname|user|password|service|sslmode|passfile)\s*=", re.IGNORECASE
)


def is_connection_string(text: str) -> bool:
    """Whether it is `host=... dbname=...`, as libpq takes it."""
    return _CONNECTION.match(text) is not None


def redacted(text: str) -> str:
    """Return the text with passwords hidden: of `://user:password@`, `?password=...` and `password=...`."""
    if "=" in text:
        text = _BY_NAME.sub(lambda found: found[1] + found[2] + _HIDDEN, text)
    if ":/" in text:
        text = _IN_URL.sub(lambda found: f"{found[1]}:{_HIDDEN}@", text)
    return text


def without_secrets(text: str, address: str) -> str:
    """Return what a library says of an address, without the password of it or a part that the library cut out."""
    for secret in sorted(_secrets(address), key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    return redacted(text)


def _secrets(address: str) -> set[str]:
    words = [found[2] for found in _IN_URL.finditer(address)]
    words += [found[3].strip("'\"") for found in _BY_NAME.finditer(address)]
    forms = {form for word in words for form in (word, unquote(word), word.replace("\\", ""))}
    parts = {part for form in forms for part in (form, *re.split(r"[^A-Za-z0-9]+", form))}
    return {part for part in parts if len(part) >= 3}
