"""Errors for options that no format of an export heeds. Each names the formats that would."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from edgevit.errors import CalibrationError, UsageError
from edgevit.quantize import CALIBRATION, CalibrationBatches, CalibrationOptions
from edgevit.rewrites.lossy.parser import LossyOption
from edgevit.support.backend_info import BACKENDS, info_of, is_integer


def inapplicable_engine(format: str) -> UsageError:
    formats = [name for name, info in BACKENDS.items() if info.engine is not None]
    engines = {str(info_of(name).engine) for name in formats}
    return _vain("--require-ane", format, formats, f"runs ops on {' or '.join(sorted(engines))}")


def inapplicable_labels(format: str) -> UsageError:
    formats = [name for name, info in BACKENDS.items() if info.holds_labels]
    return _vain("--labels", format, formats, "holds labels")


def inapplicable_delegation(format: str) -> UsageError:
    return UsageError(
        f"--require-delegated does not apply to {format}",
        where="--require-delegated",
        why="what runs where is decided on the device, not in the file",
        hint="export without it",
    )


def inapplicable_integers(format: str, precision: str) -> UsageError:
    integers = [p for p in info_of(format).precisions if is_integer(p)]
    other = f", or with --precision {integers[0]}" if integers else ""
    return UsageError(
        f"--require-integer does not apply to {format} {precision}",
        where="--require-integer",
        why=f"{precision} computes in floats",
        hint=f"export without it{other}",
    )


def _vain(flag: str, format: str, formats: Sequence[str], deed: str) -> UsageError:
    titles = " or ".join(info_of(name).title for name in formats)
    return UsageError(
        f"{flag} does not apply to {format}",
        where=flag,
        why=f"only {titles} {deed}",
        hint=f"export without it, or with --format {' or '.join(formats)}",
    )


def inapplicable_options(flags: Sequence[str], format: str, formats: Iterable[str]) -> UsageError:
    """Return the error for options of a format that is not exported. Each is named."""
    info = info_of(format)
    return UsageError(
        f"{', '.join(flags)} does not apply to {_listed(formats)}",
        where=" ".join(flags),
        why=f"only {info.title} heeds it: {info.purpose}",
        hint=f"leave it out, or --target a device for {format}: `edgevit targets` lists them",
    )


def inapplicable_calibration(
    options: CalibrationOptions, precisions: Mapping[str, object]
) -> UsageError:
    """Return the error for calibration where nothing is calibrated. Each option is named."""
    flags = CALIBRATION.flags(options)
    all_calibrated = [f"{f} {p}" for f, info in BACKENDS.items() for p in info.calibrates]
    return UsageError(
        f"{', '.join(flags)} does not apply to {_listed(precisions)}",
        where=" ".join(flags),
        why=f"ranges of integers are calibrated: of {', '.join(all_calibrated)}",
        hint=_calibrated_instead(precisions),
    )


def no_integers(format: str, precision: str) -> UsageError:
    """Return the error for a report on integers of a precision that one stage quantises not."""
    info = info_of(format)
    there = [name for name in info.precisions if info.scheme(name) is not None]
    return UsageError(
        f"{format} in {precision} is not quantised by pairs",
        where="--precision",
        why="there is nothing to report"
        if not there
        else f"{format} has {', '.join(there)} in integers",
        hint=f"--precision {there[0]}"
        if there
        else "edgevit export: its folder has what its own quantisation did",
    )


def _calibrated_instead(formats: Iterable[str]) -> str:
    for format in formats:
        for precision in info_of(format).calibrates:
            return f"leave it out, or --format {format} --precision {precision}"
    return "leave it out, or --target a device for one of those: `edgevit targets` lists them"


def _listed(formats: Iterable[str]) -> str:
    return ", ".join(formats) or "no target"


def require_samples(lossy: Sequence[LossyOption], options: CalibrationOptions) -> None:
    """Refuse lossy steps that choose by what layers compute, without pictures to compute on."""
    calibrated = [step for step in lossy if step.option.calibrated]
    if calibrated and options.calibrate is None and not isinstance(options, CalibrationBatches):
        raise CalibrationError(
            f"{calibrated[0].name} needs pictures to choose by",
            where=f"--lossy {calibrated[0]}",
            why="it takes what the layers miss least, and fits the rest, on what they compute",
            hint="--calibrate FOLDER of 32 to 256 pictures like those the model will see; "
            "or --calibrate generated, to try the tools",
        )
