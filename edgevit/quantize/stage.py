"""Quantise stage of an export: loads the calibration inputs, and quantises the rewritten program."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edgevit.errors import CalibrationError
from edgevit.frontend import Preprocess
from edgevit.graph.program import Program
from edgevit.quantize.calibration import Intake
from edgevit.quantize.image_folder import calibration
from edgevit.quantize.options import CalibrationOptions
from edgevit.quantize.run import QuantizedProgram, quantize_program
from edgevit.quantize.scheme import QuantScheme

NOISE = "generated"  # `--calibrate generated`: asked for by name


def quantize_for(
    program: Program,
    options: CalibrationOptions,
    scheme: QuantScheme,
    preprocess: Preprocess | None,
    channels_last: bool,
    progress: Callable[[str], None],
    types: Mapping[str, str] | None = None,
) -> QuantizedProgram:
    """Quantise the program of one format."""
    intake = Intake(preprocess, False, channels_last)
    inputs = calibration(picture_path(options), program, intake)
    return quantize_program(program, inputs, scheme, types, progress)


def picture_path(options: CalibrationOptions) -> str | None:
    return None if options.calibrate == NOISE else options.calibrate


def require_pictures(options: CalibrationOptions, precision: str) -> None:
    """Refuse fixed ranges from noise, unless noise is asked for by name."""
    if options.calibrate is None:
        raise CalibrationError(
            f"{precision} needs pictures to choose its ranges by",
            where="--calibrate",
            why="ranges of generated noise are not those of the pictures the model will see",
            hint="--calibrate FOLDER of 32 to 256 pictures like those it will see; "
            "or --calibrate generated, to try the tools",
        )
