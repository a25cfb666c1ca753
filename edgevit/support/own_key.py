"""Secret key of this user on this machine. A valid seal shows that this user wrote the data."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import stat
from pathlib import Path

_BYTES = 32


def seal_of(content: bytes) -> str | None:
    """Return the seal of `content`, or None if no key can be stored, as in a read-only home."""
    key = _key(create=True)
    return None if key is None else _seal(key, content)


def is_sealed(content: bytes, seal: str | None) -> bool:
    key = _key(create=False)
    return key is not None and seal is not None and hmac.compare_digest(_seal(key, content), seal)


def key_path() -> Path:
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "edgevit" / "key"


def _seal(key: bytes, content: bytes) -> str:
    return hmac.new(key, content, hashlib.sha256).hexdigest()


def _key(create: bool) -> bytes | None:
    try:
        path = key_path()
        if create and not path.exists():
            _make(path)
        return _read(path)
    except (OSError, RuntimeError):  # RuntimeError: there is no home
        return None


def _read(path: Path) -> bytes | None:
    """Read the key. Return None if it has the wrong length or is not private to this user.

    A private key is owned by this user and not readable or writable by others.
    """
    with path.open("rb") as file:
        if hasattr(os, "getuid"):  # Windows keeps a home folder to its user by other means
            about = os.fstat(file.fileno())
            if about.st_uid != os.getuid() or stat.S_IMODE(about.st_mode) & 0o077:
                return None
        key = file.read(_BYTES + 1)
    return key if len(key) == _BYTES else None


def _make(path: Path) -> None:
    """Create the key atomically. If two processes create it at once, both use the first one's."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(_BYTES))
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
