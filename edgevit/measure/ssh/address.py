"""Parser of ssh:// addresses."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from edgevit.errors import UsageError, suggest

_OPTIONS = ("python", "dir", "config")


@dataclass(frozen=True)
class Address:
    text: str
    host: str
    user: str | None
    port: int | None
    python: str
    folder: str
    config: str | None  # for `ssh -F`

    @property
    def name(self) -> str:
        return f"{self.user}@{self.host}" if self.user else self.host


def address_of(text: str) -> Address:
    parts = urlsplit(text)
    options = dict(parse_qsl(parts.query))
    unknown = sorted(set(options) - set(_OPTIONS))
    if unknown:
        raise UsageError(
            f"`{text}` has an option that is not known: {unknown[0]}",
            hint=suggest(unknown[0], _OPTIONS),
        )
    try:
        port = parts.port
    except ValueError:
        port = -1
    # ssh would take a leading dash for an option.
    wrong = not parts.hostname or parts.hostname.startswith("-") or port == -1
    wrong = wrong or (parts.username or "").startswith("-") or parts.path.strip("/")
    if wrong or parts.password:
        raise UsageError(
            f"`{text}` is not an address that ssh takes",
            why="a password is never taken from it: keys are" if parts.password else "",
            hint="ssh://user@host, ssh://host:2222, ssh://pi@board?python=/home/pi/venv/bin/python",
        )
    return Address(
        text,
        parts.hostname or "",
        parts.username,
        port,
        options.get("python", "python3"),
        options.get("dir", "/tmp"),
        options.get("config"),
    )
