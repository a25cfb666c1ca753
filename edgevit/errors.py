"""User-facing errors. Each has a message, a place in the user's model, a reason and a hint."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

_HIDDEN = "***"
# Up to the last @ of the word: a password may contain one, and masking too much does no harm.
_IN_URL = re.compile(r"(:/{1,2}[^\s:/@'\"`]*):([^\s'\"`]*)@")
_NAMES = r"password|passwd|pwd|passphrase|secret|token|api[_-]?key"
_BY_NAME = re.compile(
    rf"(\w*(?:{_NAMES}))(\s*=\s*)('(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|[^\s&'\"`,;]+)",
    re.IGNORECASE,
)

_CONNECTION = re.compile(
    r"\s*(host|hostaddr|port|dbname|user|password|service|sslmode|passfile)\s*=", re.IGNORECASE
)


class EdgevitError(Exception):
    """Base class of all user-facing errors. The command line exits with `exit_code`."""

    exit_code = 1
    usual_hint = ""  # default hint of the class

    def __init__(self, message: str, *, where: str = "", why: str = "", hint: str = "") -> None:
        message, where, why, hint = map(redacted, (message, where, why, hint or self.usual_hint))
        super().__init__(message)
        self.message = message
        self.where = where
        self.why = why
        self.hint = hint

    def __str__(self) -> str:
        rows = [f"error: {self.message}"]
        for label, text in (("where", self.where), ("why", self.why), ("try", self.hint)):
            if text:
                first, *rest = text.splitlines()
                rows.append(f"  {label:<6} {first}")
                rows.extend(" " * 9 + line for line in rest)
        return "\n".join(rows)

    def as_dict(self) -> dict[str, object]:
        return {
            "error": type(self).__name__,
            "message": self.message,
            "where": self.where,
            "why": self.why,
            "try": self.hint,
            "exit_code": self.exit_code,
        }


class UsageError(EdgevitError):
    """An invalid command-line argument. `where`, `why` and `hint` have general defaults."""

    exit_code = 2

    def __init__(self, message: str, *, where: str = "", why: str = "", hint: str = "") -> None:
        super().__init__(
            message,
            where=where or "the command line",
            why=why or "the command does not take it as it is written",
            hint=hint or "edgevit COMMAND --help",
        )


class ModelError(EdgevitError):
    """A model spec that cannot be resolved to a model."""

    exit_code = 3


class WeightsError(EdgevitError):
    """Weights that do not fit the model, or are not finite numbers."""

    exit_code = 4


class CaptureError(EdgevitError):
    """A model that torch.export cannot capture as one graph."""

    exit_code = 5


class UnsupportedOp(EdgevitError):
    """Ops that the target's format cannot express. The message lists all of them."""

    exit_code = 6


class TargetError(EdgevitError):
    """An unknown target or format, or a malformed target file."""

    exit_code = 7
    usual_hint = (
        "`edgevit targets` lists devices; docs/adding-a-target.md says how a file is written"
    )


class DoesNotFit(EdgevitError):
    """A model that needs more resources than the target has."""

    exit_code = 8


class Drift(EdgevitError):
    """A stage whose outputs differ from the model's by more than the tolerance."""

    exit_code = 9


class ToolMissing(EdgevitError):
    """A backend or tool that is not installed."""

    exit_code = 10


class OutputError(EdgevitError):
    """An output path that cannot be written."""

    exit_code = 11


class PackageError(EdgevitError):
    """A written artifact that is damaged, incomplete or inconsistent."""

    exit_code = 12


class NotDelegated(EdgevitError):
    """Ops outside the runtime's delegate, where the user required full delegation."""

    exit_code = 13


class RuntimeFailed(EdgevitError):
    """A runtime that crashed, hung or refused to run an artifact."""

    exit_code = 14


class NotOnEngine(EdgevitError):
    """Ops predicted to run off the Neural Engine, where the user required all to run on it."""

    exit_code = 15


class CalibrationError(EdgevitError):
    """Calibration data that cannot be used."""

    exit_code = 16


class DeviceError(EdgevitError):
    """A device that is unreachable, unusable or lost. `passing`: retryable."""

    exit_code = 17

    def __init__(
        self, message: str, *, where: str = "", why: str = "", hint: str = "", passing: bool = False
    ) -> None:
        super().__init__(message, where=where, why=why, hint=hint)
        self.passing = passing

    def as_dict(self) -> dict[str, object]:
        return {**super().as_dict(), "passing": self.passing}


class StoreError(EdgevitError):
    """A store of measurements that cannot be read or written."""

    exit_code = 18
    usual_hint = "--store FILE takes another store, --no-store none"


class OverBudget(EdgevitError):
    """An exported folder that exceeds a budget, or has no figure to check against it."""

    exit_code = 19


class NoForecast(EdgevitError):
    """A latency outside the range of the fitted table."""

    exit_code = 20


class PluginError(EdgevitError):
    """An entry point of an installed distribution that cannot be used."""

    exit_code = 21


class InternalError(EdgevitError):
    """A bug in edgevit."""

    exit_code = 70


class ConverterFailed(InternalError):
    """A converter failure that names no call. `backends.bisect` then locates the call."""


def revived(described: Mapping[str, Any]) -> EdgevitError:
    """Rebuild an error that another process serialised with `as_dict`.

    Subclasses are looked up in this module, so all of them are defined here.
    """
    kind = globals().get(str(described["error"]))
    if not (isinstance(kind, type) and issubclass(kind, EdgevitError)):
        kind = RuntimeFailed  # an error class of another edgevit version
    more = {"passing": bool(described.get("passing"))} if kind is DeviceError else {}
    return kind(
        described["message"],
        where=described["where"],
        why=described["why"],
        hint=described["try"],
        **more,
    )


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """Return the known names most similar to `name`, best first, ties in alphabetical order."""
    if len(name) > 200:  # not a name, and slow to compare
        return []
    likeness = {other: difflib.SequenceMatcher(None, name, other).ratio() for other in known}
    close = [other for other, ratio in likeness.items() if ratio >= 0.5]
    return sorted(close, key=lambda other: (-likeness[other], other))[:count]


def suggest(name: str, known: Iterable[str]) -> str:
    """Return a hint for an unknown name: the nearest known names, or all names if at most 12."""
    pool = sorted(known)
    close = nearest(name, pool)
    if close:
        return "did you mean " + " or ".join(f"`{n}`" for n in close) + "?"
    if 0 < len(pool) <= 12:
        return "one of " + ", ".join(f"`{n}`" for n in pool)
    return ""


def is_connection_string(text: str) -> bool:
    """Return True for a libpq connection string: `host=... dbname=...`."""
    return _CONNECTION.match(text) is not None


def redacted(text: str) -> str:
    """Mask the passwords in `://user:password@`, `?password=...` and `password=...`."""
    if "=" in text:
        text = _BY_NAME.sub(lambda found: found[1] + found[2] + _HIDDEN, text)
    if ":/" in text:
        text = _IN_URL.sub(lambda found: f"{found[1]}:{_HIDDEN}@", text)
    return text


def without_secrets(text: str, address: str) -> str:
    """Mask the password of `address`, and parts of it that a library cut out, in `text`."""
    for secret in sorted(_secrets(address), key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    return redacted(text)


def _secrets(address: str) -> set[str]:
    words = [found[2] for found in _IN_URL.finditer(address)]
    words += [found[3].strip("'\"") for found in _BY_NAME.finditer(address)]
    forms = {form for word in words for form in (word, unquote(word), word.replace("\\", ""))}
    parts = {part for form in forms for part in (form, *re.split(r"[^A-Za-z0-9]+", form))}
    return {part for part in parts if len(part) >= 3}
