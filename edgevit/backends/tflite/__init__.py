"""TensorFlow Lite files (`.tflite`): written by litert-torch, run by LiteRT's interpreter."""

from typing import TYPE_CHECKING

from edgevit.support.face import lazy_face

if TYPE_CHECKING:
    from edgevit.backends.tflite.constants import stored
    from edgevit.backends.tflite.flatbuffer import (
        names_of,
        op_count,
        positions_of,
        read_model,
        schema,
        write_model,
    )
    from edgevit.backends.tflite.gpu import GpuRun, run_on_gpu
    from edgevit.backends.tflite.info import INFO
    from edgevit.backends.tflite.lower import TFLiteFile, lower, write_tflite
    from edgevit.backends.tflite.rules import RULES
    from edgevit.backends.tflite.runtime import (
        interpreter_module,
        open_interpreter,
        require_tflite,
    )
    from edgevit.backends.tflite.scheme import SCHEMES

__all__ = [
    "INFO",
    "RULES",
    "SCHEMES",
    "GpuRun",
    "TFLiteFile",
    "interpreter_module",
    "lower",
    "names_of",
    "op_count",
    "open_interpreter",
    "positions_of",
    "read_model",
    "require_tflite",
    "run_on_gpu",
    "schema",
    "stored",
    "write_model",
    "write_tflite",
]

lazy_face(
    __name__,
    {
        "constants": ("stored",),
        "flatbuffer": (
            "names_of",
            "op_count",
            "positions_of",
            "read_model",
            "schema",
            "write_model",
        ),
        "gpu": ("GpuRun", "run_on_gpu"),
        "info": ("INFO",),
        "lower": ("TFLiteFile", "lower", "write_tflite"),
        "rules": ("RULES",),
        "runtime": ("interpreter_module", "open_interpreter", "require_tflite"),
        "scheme": ("SCHEMES",),
    },
)
