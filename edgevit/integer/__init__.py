"""Integer networks: a small closed set of operations, defined once by their numpy implementation.

The C kernels, the emitters and the tests all answer to the `run` methods here. No stage before quantisation imports it.
"""

from typing import TYPE_CHECKING

from edgevit.support.face import lazy_face

if TYPE_CHECKING:
    from edgevit.integer.exits import ExitCheck, confidence_of, most_for
    from edgevit.integer.file import VALUE_SHAPE, load_graph, save_graph
    from edgevit.integer.graph import MOST, SIZES, IntegerGraph, Op, Value
    from edgevit.integer.lowering.lower import Observation, observe, quantize
    from edgevit.integer.lowering.quantized import Quantized, QuantOptions
    from edgevit.integer.ports import Port
    from edgevit.integer.rewrites.rewritten import rewritten
    from edgevit.integer.simulate import calls_of, initial_states, outputs_of
    from edgevit.integer.text import integer_text

__all__ = [
    "MOST",
    "SIZES",
    "VALUE_SHAPE",
    "ExitCheck",
    "IntegerGraph",
    "Observation",
    "Op",
    "Port",
    "QuantOptions",
    "Quantized",
    "Value",
    "calls_of",
    "confidence_of",
    "initial_states",
    "integer_text",
    "load_graph",
    "most_for",
    "observe",
    "outputs_of",
    "quantize",
    "rewritten",
    "save_graph",
]

lazy_face(
    __name__,
    {
        "exits": ("ExitCheck", "confidence_of", "most_for"),
        "file": ("VALUE_SHAPE", "load_graph", "save_graph"),
        "graph": ("IntegerGraph", "MOST", "Op", "SIZES", "Value"),
        "lowering.lower": ("Observation", "observe", "quantize"),
        "lowering.quantized": ("QuantOptions", "Quantized"),
        "ports": ("Port",),
        "rewrites.rewritten": ("rewritten",),
        "simulate": ("calls_of", "initial_states", "outputs_of"),
        "text": ("integer_text",),
    },
)
