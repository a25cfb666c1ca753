"""Errors that edgevit raises. The branch says who can do something about an error.

    EdgevitError
    ├─ UserError                      the command, the model or its data must change
    │  ├─ UsageError              E0002   ├─ PackageError          E0012
    │  ├─ ModelError              E0003   ├─ DelegationError       E0013
    │  ├─ WeightsError            E0004   ├─ EnginePlacementError  E0015
    │  ├─ CaptureError            E0005   ├─ CalibrationError      E0016
    │  ├─ UnsupportedOpError      E0006   ├─ BudgetError           E0019
    │  ├─ TargetError             E0007   ├─ ForecastError         E0020
    │  └─ MemoryLimitError        E0008   └─ LossyStepError        E0022
    ├─ EnvironmentProblem             this machine lacks something, or a program on it failed
    │  ├─ MissingToolError        E0010   ├─ StoreError            E0018
    │  ├─ OutputError             E0011   └─ PluginError           E0021
    │  └─ BackendRuntimeError     E0014
    ├─ DeviceProblem                  another machine, a phone or a board
    │  └─ DeviceError             E0017
    └─ InternalError              E0070   a bug in edgevit, to be reported
       ├─ ParityError             E0009
       └─ ConverterError          E0071

`code` is stable and unique to a class; `exit_code` is what the command line ends with. Each error
has a message, a place in the user's model (`where`), a reason (`why`) and a hint. `retryable`: the
same call may succeed later. docs/errors.md lists the codes.
"""

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
    """Base class of all errors that edgevit raises."""

    code = "E0001"
    exit_code = 1
    usual_hint = ""  # default hint of the class

    def __init__(
        self,
        message: str,
        *,
        where: str = "",
        why: str = "",
        hint: str = "",
        retryable: bool = False,
    ) -> None:
        message, where, why, hint = map(redacted, (message, where, why, hint or self.usual_hint))
        super().__init__(message)
        self.message = message
        self.where = where
        self.why = why
        self.hint = hint
        self.retryable = retryable

    def __str__(self) -> str:
        rows = [f"error[{self.code}]: {self.message}"]
        for label, text in (("where", self.where), ("why", self.why), ("try", self.hint)):
            if text:
                first, *rest = text.splitlines()
                rows.append(f"  {label:<6} {first}")
                rows.extend(" " * 9 + line for line in rest)
        return "\n".join(rows)

    def as_dict(self) -> dict[str, object]:
        return {
            "error": type(self).__name__,
            "code": self.code,
            "message": self.message,
            "where": self.where,
            "why": self.why,
            "hint": self.hint,
            "retryable": self.retryable,
            "exit_code": self.exit_code,
        }


class UserError(EdgevitError):
    """A command, a model or data that cannot be used as it is."""


class EnvironmentProblem(EdgevitError):  # noqa: N818 -- a branch, never raised
    """A tool, folder, database or program on this machine that is missing or failed."""


class DeviceProblem(EdgevitError):  # noqa: N818 -- a branch, never raised
    """A failure of another machine, a phone or a board."""


class InternalError(EdgevitError):
    """A bug in edgevit. The hint ends with where to report it.

    `details`: text for the bug report, such as the graph. `report`: path of the bug report.
    """

    code = "E0070"
    exit_code = 70

    def __init__(
        self,
        message: str,
        *,
        where: str = "",
        why: str = "",
        hint: str = "",
        retryable: bool = False,
        details: str = "",
    ) -> None:
        workaround = f"{hint}, and " if hint else ""
        super().__init__(
            message, where=where, why=why, hint=workaround + report_it(), retryable=retryable
        )
        self.details = details
        self.report = ""

    def as_dict(self) -> dict[str, object]:
        return {**super().as_dict(), "report": self.report}


class UsageError(UserError):
    """An invalid command-line argument. `where`, `why` and `hint` have general defaults."""

    code = "E0002"
    exit_code = 2

    def __init__(
        self,
        message: str,
        *,
        where: str = "",
        why: str = "",
        hint: str = "",
        retryable: bool = False,
    ) -> None:
        super().__init__(
            message,
            where=where or "the command line",
            why=why or "the command does not accept it in this form",
            hint=hint or "edgevit COMMAND --help",
            retryable=retryable,
        )


class ModelError(UserError):
    """A model spec that cannot be resolved to a model."""

    code = "E0003"
    exit_code = 3


class WeightsError(UserError):
    """Weights that do not fit the model, or are not finite numbers."""

    code = "E0004"
    exit_code = 4


class CaptureError(UserError):
    """A model that torch.export cannot capture as one graph."""

    code = "E0005"
    exit_code = 5


class UnsupportedOpError(UserError):
    """Ops that the target's format cannot express. The message lists all of them."""

    code = "E0006"
    exit_code = 6


class TargetError(UserError):
    """An unknown target or format, or a malformed target file."""

    code = "E0007"
    exit_code = 7
    usual_hint = "`edgevit targets` lists devices; docs/adding-a-target.md explains how to write a target file"


class MemoryLimitError(UserError):
    """A model that needs more resources than the target or this machine has."""

    code = "E0008"
    exit_code = 8


class PackageError(UserError):
    """A written artifact that is damaged, incomplete or inconsistent."""

    code = "E0012"
    exit_code = 12


class DelegationError(UserError):
    """Ops outside the runtime's delegate, where the user required full delegation."""

    code = "E0013"
    exit_code = 13


class EnginePlacementError(UserError):
    """Ops predicted to run off the Neural Engine, where the user required all to run on it."""

    code = "E0015"
    exit_code = 15


class CalibrationError(UserError):
    """Calibration or labelled data that cannot be used."""

    code = "E0016"
    exit_code = 16


class BudgetError(UserError):
    """An exported folder that exceeds a budget, or has no figure to check against it."""

    code = "E0019"
    exit_code = 19


class ForecastError(UserError):
    """A latency outside the range of the fitted table."""

    code = "E0020"
    exit_code = 20


class LossyStepError(UserError):
    """A lossy step whose outputs have nothing in common with the outputs before it."""

    code = "E0022"
    exit_code = 9


class MissingToolError(EnvironmentProblem):
    """A backend or tool that is not installed."""

    code = "E0010"
    exit_code = 10


class OutputError(EnvironmentProblem):
    """An output path that cannot be written."""

    code = "E0011"
    exit_code = 11


class BackendRuntimeError(EnvironmentProblem):
    """A runtime that crashed, hung or refused to run an artifact."""

    code = "E0014"
    exit_code = 14


class StoreError(EnvironmentProblem):
    """A store of measurements that cannot be read or written."""

    code = "E0018"
    exit_code = 18
    usual_hint = "--store FILE selects another store, --no-store disables it"


class PluginError(EnvironmentProblem):
    """An entry point of an installed distribution that cannot be used."""

    code = "E0021"
    exit_code = 21


class DeviceError(DeviceProblem):
    """A device that is unreachable, unusable or lost."""

    code = "E0017"
    exit_code = 17


class ParityError(InternalError):
    """A stage whose outputs differ from the model's by more than the tolerance."""

    code = "E0009"
    exit_code = 9


class ConverterError(InternalError):
    """A converter failure that names no call. `backends.bisect` then locates the call."""

    code = "E0071"


def revived(described: Mapping[str, Any]) -> EdgevitError:
    """Rebuild an error that another process serialised with `as_dict`.

    Subclasses are looked up in this module, so all of them are defined here.
    """
    kind = globals().get(str(described["error"]))
    if not (isinstance(kind, type) and issubclass(kind, EdgevitError)):
        kind = BackendRuntimeError  # an error class of another edgevit version
    error = kind(described["message"], where=described["where"], why=described["why"])
    error.hint = str(described.get("hint") or described.get("try") or "")  # `try` until 0.1
    error.retryable = bool(described.get("retryable"))
    if isinstance(error, InternalError):
        error.report = str(described.get("report", ""))
    return error


def issue_tracker() -> str:
    """Return the address of the issue tracker: `Issues` of the package's URLs, if it has one."""
    from importlib import metadata

    try:
        urls = metadata.metadata("edgevit").get_all("Project-URL") or []
    except metadata.PackageNotFoundError:  # a checkout that is not installed
        urls = []
    addresses = dict(url.split(", ", 1) for url in urls)
    return addresses.get("Issues", "the project's issue tracker (see README)")


def report_it(report: str = "") -> str:
    """Return the hint to report a bug, with the file to attach if one was written."""
    return f"report it{f' with {report}' if report else ''} at {issue_tracker()}"


def nearest(name: str, names: Iterable[str], count: int = 3) -> list[str]:
    """Return the known names most similar to `name`, best first, ties in alphabetical order."""
    if len(name) > 200:  # not a name, and slow to compare
        return []
    likeness = {other: difflib.SequenceMatcher(None, name, other).ratio() for other in names}
    close = [other for other, ratio in likeness.items() if ratio >= 0.5]
    return sorted(close, key=lambda other: (-likeness[other], other))[:count]


def suggest(name: str, names: Iterable[str]) -> str:
    """Return a hint for an unknown name: the nearest known names, or all names if at most 12."""
    pool = sorted(names)
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
        text = _BY_NAME.sub(lambda match: match[1] + match[2] + _HIDDEN, text)
    if ":/" in text:
        text = _IN_URL.sub(lambda match: f"{match[1]}:{_HIDDEN}@", text)
    return text


def without_secrets(text: str, address: str) -> str:
    """Mask the password of `address`, and parts of it that a library cut out, in `text`."""
    for secret in sorted(_secrets(address), key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    return redacted(text)


def _secrets(address: str) -> set[str]:
    words = [match[2] for match in _IN_URL.finditer(address)]
    words += [match[3].strip("'\"") for match in _BY_NAME.finditer(address)]
    forms = {form for word in words for form in (word, unquote(word), word.replace("\\", ""))}
    parts = {part for form in forms for part in (form, *re.split(r"[^A-Za-z0-9]+", form))}
    return {part for part in parts if len(part) >= 3}
