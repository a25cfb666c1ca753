"""Command line that reproduces an export, stored in `edgevit.json` and shown in the report."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any, cast

from edgevit.quantize import CALIBRATION, GENERATED, CalibrationOptions
from edgevit.support.backend_options import BackendOptions, options_info
from edgevit.targets import Target

_EITHER_WAY = {"image_input"}  # flags with a `--no-` form
_UNSAID = {"batch": 1, "seed": 0}  # non-empty defaults of the command line


def export_command(
    model: str,
    target: Target,
    format: str,
    precision: str,
    *,
    options: Mapping[str, Any],
    lossy: Sequence[object] = (),
    without: Sequence[str] = (),
    chosen: Mapping[str, str] | None = None,
    backend_options: BackendOptions | None = None,
    calibration: CalibrationOptions = GENERATED,
) -> str:
    """Return the command that repeats an export.

    `options` are the model's. The name of the labels file is not stored, so a placeholder stands
    for it.
    """
    words = ["edgevit", "export", model, "--target", target.name if target.family else str(target.file)]  # fmt: skip
    words += ["--format", format, "--precision", precision]
    for name, value in options.items():
        if value is False and name in _EITHER_WAY:
            words.append(f"--no-{name.replace('_', '-')}")
        elif value and _UNSAID.get(name) != value:
            words += _option(name, "LABELS.txt" if name == "labels" else value)
    for name in without:
        words += ["--without", name]
    if lossy:
        words += ["--lossy", ",".join(map(str, lossy))]
    choices = dict(chosen or {})
    words += CALIBRATION.to_words(calibration)
    if backend_options is not None and (info := options_info(format)):
        words += info.to_words(backend_options)
        choices |= info.to_choices(backend_options)
    if choices:
        words += ["--choose", ",".join(f"{name}={option}" for name, option in choices.items())]
    return shlex.join(words)


def _option(name: str, value: Any) -> list[str]:
    flag = "--" + name.replace("_", "-")
    if value is True:
        return [flag]
    if isinstance(value, Sequence) and not isinstance(value, str):
        sign = "x" if name == "input_size" else ","
        return [
            f"{flag}={sign.join(map(str, cast(Sequence[object], value)))}"
        ]  # `=`: a mean may begin with a minus
    return [flag, str(value)]
