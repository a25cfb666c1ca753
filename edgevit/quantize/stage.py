"""Quantise stage of an export: the calibration inputs, and the programs that they make."""

from __future__ import annotations

from dataclasses import replace

from edgevit.errors import CalibrationError
from edgevit.graph.program import Program
from edgevit.quantize.calibration import Calibration, Intake
from edgevit.quantize.image_folder import calibration
from edgevit.quantize.options import CalibrationOptions
from edgevit.quantize.prepare import Prepared
from edgevit.quantize.run import Progress, QuantizedProgram, quantize_program
from edgevit.quantize.scheme import QuantScheme

NOISE = "generated"  # `--calibrate generated`: asked for by name


def load_calibration(program: Program, options: CalibrationOptions, intake: Intake) -> Calibration:
    """Load the inputs once, for all formats of an export."""
    return calibration(picture_path(options), program, intake)


def quantize_prepared(
    program: Program, prepared: Prepared, scheme: QuantScheme, progress: Progress
) -> QuantizedProgram:
    """Quantise a prepared program after a backend's own rewrites."""
    quantized = quantize_program(
        program, prepared.calibration, scheme, None, progress, prepared.pictures
    )
    methods = (*prepared.methods, *quantized.report.methods)
    return replace(quantized, report=replace(quantized.report, methods=methods))


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
