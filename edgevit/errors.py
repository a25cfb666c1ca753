"""Every error a user can meet: what went wrong, where in their model, why, and what to try."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any
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


class EdgevitError(Exception):
    """Base of all errors we show. `exit_code` is what the command line returns."""

    exit_code = 1
    usual_hint = ""  # where nothing better is known

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
    """A word on the command line that we do not take. What is not said of it holds for all."""

    exit_code = 2

    def __init__(self, message: str, *, where: str = "", why: str = "", hint: str = "") -> None:
        super().__init__(
            message,
            where=where or "the command line",
            why=why or "the command does not take it as it is written",
            hint=hint or "edgevit COMMAND --help",
        )


class ModelError(EdgevitError):
    """The model spec does not lead to a model."""

    exit_code = 3


class WeightsError(EdgevitError):
    """The weights do not fit the model, or are not numbers."""

    exit_code = 4


class CaptureError(EdgevitError):
    """torch.export cannot turn the model into one graph."""

    exit_code = 5


class UnsupportedOp(EdgevitError):
    """The target's format has no way to say these ops. Lists all of them."""

    exit_code = 6


class TargetError(EdgevitError):
    """No such target or format, or a target file that is not well formed."""

    exit_code = 7
    usual_hint = (
        "`edgevit targets` lists devices; docs/adding-a-target.md says how a file is written"
    )


class DoesNotFit(EdgevitError):
    """The model needs more than the target has, or than this machine has to convert it."""

    exit_code = 8


class Drift(EdgevitError):
    """A stage changed what the model computes."""

    exit_code = 9


class ToolMissing(EdgevitError):
    """A backend or tool is not installed."""

    exit_code = 10


class OutputError(EdgevitError):
    """The result cannot be written where it was asked for."""

    exit_code = 11


class PackageError(EdgevitError):
    """A written artifact that is damaged, incomplete, or does not say what it should."""

    exit_code = 12


class NotDelegated(EdgevitError):
    """Ops stay outside the accelerated part of the runtime, and the user asked that none does."""

    exit_code = 13


class RuntimeFailed(EdgevitError):
    """A runtime died, hung, or refused to run an artifact."""

    exit_code = 14


class NotOnEngine(EdgevitError):
    """Ops are predicted to run off the Neural Engine, and the user asked that none does."""

    exit_code = 15


class CalibrationError(EdgevitError):
    """The data to calibrate on cannot be used."""

    exit_code = 16


class DeviceError(EdgevitError):
    """A device that cannot be reached or used, or is lost. `passing`: it may answer when asked once more."""

    exit_code = 17

    def __init__(
        self, message: str, *, where: str = "", why: str = "", hint: str = "", passing: bool = False
    ) -> None:
        super().__init__(message, where=where, why=why, hint=hint)
        self.passing = passing

    def as_dict(self) -> dict[str, object]:
        return {**super().as_dict(), "passing": self.passing}


class StoreError(EdgevitError):
    """The store of measurements cannot be read or written."""

    exit_code = 18
    usual_hint = "--store FILE takes another store, --no-store none"


class OverBudget(EdgevitError):
    """An exported folder is not within a budget, or nothing is known about it."""

    exit_code = 19


class NoForecast(EdgevitError):
    """A latency that the fitted table says nothing about."""

    exit_code = 20


class PluginError(EdgevitError):
    """An installed distribution's entry point cannot be used."""

    exit_code = 21


class InternalError(EdgevitError):
    """Our own bug."""

    exit_code = 70


class ConverterFailed(InternalError):
    """A converter gave up and did not say at which call. An export goes on to find it: see `backends.bisect`."""


def revived(described: Mapping[str, Any]) -> EdgevitError:
    """The error again that another process described with `as_dict`. All subclasses are in this module for that."""
    kind = globals().get(str(described["error"]))
    if not (isinstance(kind, type) and issubclass(kind, EdgevitError)):
        kind = RuntimeFailed  # of another version of edgevit
    more = {"passing": bool(described.get("passing"))} if kind is DeviceError else {}
    return kind(
        described["message"],
        where=described["where"],
        why=described["why"],
        hint=described["try"],
        **more,
    )


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The known names most like `name`, best first, in order of the alphabet where they are equally like it."""
    if len(name) > 200:  # no name, and slow to compare
        return []
    likeness = {other: difflib.SequenceMatcher(None, name, other).ratio() for other in known}
    close = [other for other, ratio in likeness.items() if ratio >= 0.5]
    return sorted(close, key=lambda other: (-likeness[other], other))[:count]


def suggest(name: str, known: Iterable[str]) -> str:
    """A hint for an unknown name: the nearest known ones, or all when few."""
    pool = sorted(known)
    close = nearest(name, pool)
    if close:
        return "did you mean " + " or ".join(f"`{n}`" for n in close) + "?"
    if 0 < len(pool) <= 12:
        return "one of " + ", ".join(f"`{n}`" for n in pool)
    return ""


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
