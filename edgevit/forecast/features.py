"""Features of a graph for the forecast: calls, MACs and elements moved, by class of op."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from torch.fx.node import Node

from edgevit.graph.aten import argument, kind
from edgevit.graph.cost import CONVOLUTIONS, FREE, MATMULS, TRANSPOSES, macs
from edgevit.graph.program import Program, shape, value

CLASSES = ("dense", "pointwise", "depthwise", "product", "norm", "softmax", "reduce", "move", "elementwise")  # fmt: skip
COSTS = (
    "a call of the model",
    "10^9 multiply-accumulates of convolutions and linear layers",
    "10^9 multiply-accumulates of depthwise and grouped convolutions",
    "10^9 multiply-accumulates of two activations",
    "10^6 parameters",
    "10^6 activations read or written",
    "100 operations",
)
_PRODUCTS = {*MATMULS, "scaled_dot_product_attention", "einsum"}
_NORMS = {"layer_norm", "group_norm", "native_layer_norm", "batch_norm", "rms_norm", "normalize"}
_MOVES = {*TRANSPOSES, "cat", "stack", "roll", "contiguous", "clone", "index", "gather", "pad",
          "index_select", "flip", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "upsample_bilinear2d",
          "upsample_nearest2d", "interpolate", "im2col", "unfold", "repeat", "tile"}  # fmt: skip
_REDUCTIONS = {"mean", "sum", "amax", "max", "min", "var", "var_mean", "linalg_vector_norm", "avg_pool2d", "max_pool2d",
               "adaptive_avg_pool2d", "adaptive_max_pool2d", "max_pool2d_with_indices"}  # fmt: skip


@dataclass
class Work:
    """Work of all calls of one class. `elements`: activations read and written, no constants."""

    calls: int = 0
    macs: int = 0
    elements: int = 0


@dataclass(frozen=True)
class Features:
    """Features of the graph after the rules common to all targets, at batch 1."""

    params: int
    resolution: int  # the longer side of the picture
    work: dict[str, Work] = field(default_factory=dict)

    @property
    def macs(self) -> int:
        return sum(work.macs for work in self.work.values())

    def vector(self) -> tuple[float, ...]:
        """Return the features that `COSTS` names, in its order."""
        of = self.work
        return (
            1.0,
            (of["dense"].macs + of["pointwise"].macs) / 1e9,
            of["depthwise"].macs / 1e9,
            of["product"].macs / 1e9,
            self.params / 1e6,
            sum(work.elements for work in of.values()) / 1e6,
            sum(work.calls for work in of.values()) / 100,
        )

    def as_dict(self) -> dict[str, object]:
        return {**asdict(self), "work": {name: asdict(work) for name, work in self.work.items()}}

    @classmethod
    def of_dict(cls, values: dict[str, object]) -> Features:
        work: dict[str, dict[str, int]] = values["work"]  # type: ignore[assignment]
        return cls(
            int(values["params"]),  # type: ignore[call-overload]
            int(values["resolution"]),  # type: ignore[call-overload]
            {name: Work(**figures) for name, figures in work.items()},
        )


def features_of(program: Program) -> Features:
    work = {name: Work() for name in CLASSES}
    for node in program.calls():
        if kind(node) in FREE or not hasattr(value(node), "shape"):
            continue
        mine = work[class_of(node)]
        mine.calls += 1
        mine.macs += macs(node)
        mine.elements += sum(_elements(other) for other in (node, *node.all_input_nodes))
    params = sum(t.numel() for t in program.constants.values() if t.is_floating_point())
    sides = [max(shape(node)[-2:]) for node in program.placeholders() if len(shape(node)) == 4]
    return Features(params, max(sides, default=0), work)


def class_of(node: Node) -> str:
    """Return a node's class, of `CLASSES`. Nodes of no other class are elementwise."""
    name = kind(node)
    if name in CONVOLUTIONS or name == "conv_transpose2d":
        weight = shape(argument(node, "weight"))
        if int(argument(node, "groups")) > 1:
            return "depthwise"
        return "pointwise" if all(extent == 1 for extent in weight[2:]) else "dense"
    if name == "linear":
        return "pointwise"
    for members, class_name in (
        (_PRODUCTS, "product"),
        (_NORMS, "norm"),
        ({"softmax", "_softmax"}, "softmax"),
        (_REDUCTIONS, "reduce"),
        (_MOVES, "move"),
    ):
        if name in members:
            return class_name
    return "elementwise"


def _elements(node: Node) -> int:
    tensor = value(node)
    counts = node.op != "get_attr" and hasattr(tensor, "numel")
    return tensor.numel() if counts else 0
