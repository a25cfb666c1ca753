"""Quantisation parameters of a float program: calibrated ranges, grids, equalised channels,
weights.
"""

from typing import TYPE_CHECKING

from edgevit.support.face import lazy_face

if TYPE_CHECKING:
    from edgevit.quantize.batches import CalibrationBatches
    from edgevit.quantize.bit_map import BIT_MAP, bit_map_text
    from edgevit.quantize.calibration import Calibration, ImageInput, read_numbers
    from edgevit.quantize.choice import EarlierChoices
    from edgevit.quantize.divisions import factor_of
    from edgevit.quantize.encoding import (
        LIMITS,
        PIXELS,
        Grid,
        are_pixels,
        asymmetric,
        symmetric,
        why_no_pixels,
        wide,
    )
    from edgevit.quantize.encoding_plan import EncodingPlan, Grids
    from edgevit.quantize.equalize import equalized
    from edgevit.quantize.goals import Clock, MixedGoal
    from edgevit.quantize.held_out import QUANTIZED, HeldOut, file_parity, simulation_parity
    from edgevit.quantize.image_folder import calibration, check_readable, picture_input
    from edgevit.quantize.input_covariance import Moments, window_along, window_of
    from edgevit.quantize.noise import Outputs, ValueNoise, costliest, snr
    from edgevit.quantize.noise_report import NoiseReport
    from edgevit.quantize.observers import OBSERVERS, Ordered
    from edgevit.quantize.op_traits import (
        averages_parts,
        bounds,
        is_constant,
        is_real,
        is_view,
        number,
        pad_value,
        sources,
    )
    from edgevit.quantize.options import CALIBRATION, GENERATED, CalibrationOptions
    from edgevit.quantize.own_ranges import Ranges, own_ranges
    from edgevit.quantize.picture_file import open_picture, read_picture
    from edgevit.quantize.picture_list import LABELS, PictureFile, draw_evenly, list_pictures
    from edgevit.quantize.placement import IntegerPlacement, is_weighted, place
    from edgevit.quantize.pointwise_regions import Override
    from edgevit.quantize.prepare import PRODUCTS, Prepared, prepare
    from edgevit.quantize.qdq import is_fence, with_pairs
    from edgevit.quantize.recording import Look, Recorded, record, run_looking
    from edgevit.quantize.residual_stream import residual_stream
    from edgevit.quantize.run import QuantizedProgram
    from edgevit.quantize.scheme import EVERY, FLOAT, QuantScheme, palette
    from edgevit.quantize.sizes import StoredTensor, WeightBytes, weight_bytes
    from edgevit.quantize.stage import (
        NOISE,
        MixedRequest,
        load_calibration,
        more_generated,
        picture_path,
        quantize_prepared,
        require_mixed,
        require_pictures,
        split_judges,
    )
    from edgevit.quantize.weight_rounding import compensated
    from edgevit.quantize.weights import IntegerWeight, PaletteWeight, RoundedWeight
    from edgevit.quantize.wide_values import WideValue, ranked, wide_values

__all__ = [
    "BIT_MAP",
    "CALIBRATION",
    "EVERY",
    "FLOAT",
    "GENERATED",
    "LABELS",
    "LIMITS",
    "NOISE",
    "OBSERVERS",
    "PIXELS",
    "PRODUCTS",
    "QUANTIZED",
    "Calibration",
    "CalibrationBatches",
    "CalibrationOptions",
    "Clock",
    "EarlierChoices",
    "EncodingPlan",
    "Grid",
    "Grids",
    "HeldOut",
    "ImageInput",
    "IntegerPlacement",
    "IntegerWeight",
    "Look",
    "MixedGoal",
    "MixedRequest",
    "Moments",
    "NoiseReport",
    "Ordered",
    "Outputs",
    "Override",
    "PaletteWeight",
    "PictureFile",
    "Prepared",
    "QuantScheme",
    "QuantizedProgram",
    "Ranges",
    "Recorded",
    "RoundedWeight",
    "StoredTensor",
    "ValueNoise",
    "WeightBytes",
    "WideValue",
    "are_pixels",
    "asymmetric",
    "averages_parts",
    "bit_map_text",
    "bounds",
    "calibration",
    "check_readable",
    "compensated",
    "costliest",
    "draw_evenly",
    "equalized",
    "factor_of",
    "file_parity",
    "is_constant",
    "is_fence",
    "is_real",
    "is_view",
    "is_weighted",
    "list_pictures",
    "load_calibration",
    "more_generated",
    "number",
    "open_picture",
    "own_ranges",
    "pad_value",
    "palette",
    "picture_input",
    "picture_path",
    "place",
    "prepare",
    "quantize_prepared",
    "ranked",
    "read_numbers",
    "read_picture",
    "record",
    "require_mixed",
    "require_pictures",
    "residual_stream",
    "run_looking",
    "simulation_parity",
    "snr",
    "sources",
    "split_judges",
    "symmetric",
    "weight_bytes",
    "why_no_pixels",
    "wide",
    "wide_values",
    "window_along",
    "window_of",
    "with_pairs",
]

lazy_face(
    __name__,
    {
        "goals": ("Clock", "MixedGoal"),
        "bit_map": (
            "BIT_MAP",
            "bit_map_text",
        ),
        "batches": ("CalibrationBatches",),
        "calibration": ("Calibration", "ImageInput", "read_numbers"),
        "divisions": ("factor_of",),
        "encoding": (
            "Grid",
            "LIMITS",
            "PIXELS",
            "are_pixels",
            "asymmetric",
            "symmetric",
            "why_no_pixels",
            "wide",
        ),
        "encoding_plan": ("EncodingPlan", "Grids"),
        "equalize": ("equalized",),
        "held_out": ("HeldOut", "QUANTIZED", "file_parity", "simulation_parity"),
        "image_folder": ("calibration", "check_readable", "picture_input"),
        "input_covariance": ("Moments", "window_along", "window_of"),
        "noise": ("Outputs", "ValueNoise", "costliest", "snr"),
        "residual_stream": ("residual_stream",),
        "observers": ("OBSERVERS", "Ordered"),
        "op_traits": (
            "averages_parts",
            "bounds",
            "is_constant",
            "is_real",
            "is_view",
            "number",
            "pad_value",
            "sources",
        ),
        "options": ("CALIBRATION", "CalibrationOptions", "GENERATED"),
        "own_ranges": ("Ranges", "own_ranges"),
        "picture_file": ("open_picture", "read_picture"),
        "picture_list": ("LABELS", "PictureFile", "draw_evenly", "list_pictures"),
        "pointwise_regions": ("Override",),
        "qdq": ("is_fence", "with_pairs"),
        "placement": ("IntegerPlacement", "is_weighted", "place"),
        "recording": ("Look", "Recorded", "record", "run_looking"),
        "run": ("QuantizedProgram",),
        "noise_report": ("NoiseReport",),
        "choice": ("EarlierChoices",),
        "scheme": ("EVERY", "FLOAT", "QuantScheme", "palette"),
        "sizes": ("StoredTensor", "WeightBytes", "weight_bytes"),
        "prepare": ("PRODUCTS", "Prepared", "prepare"),
        "stage": (
            "NOISE",
            "MixedRequest",
            "load_calibration",
            "more_generated",
            "picture_path",
            "quantize_prepared",
            "require_mixed",
            "require_pictures",
            "split_judges",
        ),
        "weight_rounding": ("compensated",),
        "weights": ("IntegerWeight", "PaletteWeight", "RoundedWeight"),
        "wide_values": ("WideValue", "ranked", "wide_values"),
    },
)
