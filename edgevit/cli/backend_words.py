"""Words of the command line that the backends add, and those of calibration."""

from __future__ import annotations

import argparse

from edgevit.evaluate import EVALUATION, EvaluationOptions
from edgevit.quantize import CALIBRATION, CalibrationOptions
from edgevit.support.backend_options import BackendOptions, optioned

_CALIBRATION = "calibration"
_EVALUATION = "evaluation"


def add_backend_words(parser: argparse.ArgumentParser) -> None:
    CALIBRATION.add_words(parser, _CALIBRATION)
    for format, info in optioned():
        info.add_words(parser, format)


def calibration_of(words: argparse.Namespace) -> CalibrationOptions:
    return CALIBRATION.from_words(words, _CALIBRATION)


def add_evaluation_words(parser: argparse.ArgumentParser) -> None:
    EVALUATION.add_words(parser, _EVALUATION)


def evaluation_of(words: argparse.Namespace) -> EvaluationOptions:
    return EVALUATION.from_words(words, _EVALUATION)


def backend_options_of(words: argparse.Namespace) -> dict[str, BackendOptions]:
    """Return the options that are not at their default, by format."""
    whole = {format: (info, info.from_words(words, format)) for format, info in optioned()}
    return {format: options for format, (info, options) in whole.items() if options != info.default}


def flags_of(words: argparse.Namespace) -> list[str]:
    """Return the words that are not at their default."""
    own = backend_options_of(words)
    flags = [info.flags(own[format]) for format, info in optioned() if format in own]
    return [*CALIBRATION.flags(calibration_of(words)), *(flag for one in flags for flag in one)]


def chosen_by_search(words: argparse.Namespace) -> list[str]:
    """Return the words that are not at their default and are for `edgevit tune` to choose."""
    own = backend_options_of(words)
    return [
        word.flag
        for format, info in optioned()
        if format in own
        for word in info.words
        if word.name in info.changed(own[format]) and word.name in {c.name for c in info.choices}
    ]
