"""PP-OCRv4's recogniser (convolutions and attention, trained) as a torch module, and words to read.

Its ONNX file is from the package rapidocr-onnxruntime (`packages.txt`); nothing of it is imported.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import nn
from torch.nn import functional as F

from tests import ROOT
from tests.quantize.bed.photographs import packaged

HEIGHT, WIDTH = 48, 320
_FILE = "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx"
Attributes = dict[str, Any]


@cache
def _model() -> Any:
    """Read the file, with shapes fixed and folded, and batch norms in the convolutions."""
    import onnx
    import onnxsim

    model = onnx.load(packaged(_FILE))
    return onnxsim.simplify(model, overwrite_input_shapes={"x": [1, 3, HEIGHT, WIDTH]})[0]


class Recogniser(nn.Module):
    """The graph, node by node: layers for convolutions and linears, functions for the rest."""

    input_size = (3, HEIGHT, WIDTH)
    preprocess = {"mean": 0.5, "std": 0.5, "crop_pct": 1.0}  # noqa: RUF012

    def __init__(self, graph: Any) -> None:
        super().__init__()
        from onnx import numpy_helper

        constants = {t.name: torch.tensor(numpy_helper.to_array(t)) for t in graph.initializer}
        self.layers, self.tensors, self.names = nn.ModuleDict(), nn.ParameterList(), list[str]()
        self.steps: list[tuple[Callable[..., torch.Tensor], list[str], str]] = []
        for node in graph.node:
            attributes, inputs, output = _attributes(node), list(node.input), node.output[0]
            if node.op_type == "Constant":
                constants[output] = torch.tensor(numpy_helper.to_array(attributes["value"]))
            elif layer := _layer(node.op_type, [constants.get(n) for n in inputs], attributes):
                self.layers[f"{node.op_type}_{len(self.layers)}"] = layer
                self.steps.append((layer, inputs[:1], output))
            else:
                numbers = {i: _number(constants[n]) for i, n in enumerate(inputs) if n in constants}
                numbers = {i: number for i, number in numbers.items() if number is not None}
                for name in inputs:
                    if name in constants and _number(constants[name]) is None:
                        self.names.append(name)
                        self.tensors.append(constants[name])
                rest = [name for i, name in enumerate(inputs) if i not in numbers]
                compute = partial(_OPS[node.op_type], attributes)
                self.steps.append((partial(_filled, compute, numbers), rest, output))
        self.entry, self.exit = graph.input[0].name, graph.output[0].name

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        values = {self.entry: image, **dict(zip(self.names, self.tensors, strict=True))}
        for compute, inputs, output in self.steps:
            values[output] = compute(*(values[name] for name in inputs))
        return values[self.exit]


def _number(constant: torch.Tensor) -> float | list[int] | None:
    """Return what is a number, or the integers of a shape, to Python; None for a tensor."""
    if not constant.is_floating_point():
        return constant.reshape(-1).tolist()
    return constant.item() if constant.numel() == 1 else None


def _filled(
    compute: Callable[..., torch.Tensor], numbers: dict[int, Any], *rest: torch.Tensor
) -> torch.Tensor:
    """Call an op with its numbers put where they belong."""
    others = iter(rest)
    count = len(numbers) + len(rest)
    return compute(*(numbers[i] if i in numbers else next(others) for i in range(count)))


def _attributes(node: Any) -> Attributes:
    from onnx import helper

    return {one.name: helper.get_attribute_value(one) for one in node.attribute}


def _layer(kind: str, constants: list[torch.Tensor | None], how: Attributes) -> nn.Module | None:
    """Build the layer of a convolution, or of a product with a constant matrix."""
    weight = constants[1] if len(constants) > 1 else None
    if weight is None or kind not in ("Conv", "Gemm"):
        return None
    bias = constants[2] if len(constants) > 2 else None
    if kind == "Gemm":
        linear = nn.Linear(*weight.shape)
        linear.weight, linear.bias = nn.Parameter(weight.T.contiguous()), nn.Parameter(bias)
        return linear
    groups, pads = how["group"], tuple(how["pads"][:2])
    inputs, outputs = weight.shape[1] * groups, weight.shape[0]
    conv = nn.Conv2d(
        inputs,
        outputs,
        weight.shape[2:],
        how["strides"],
        pads,
        groups=groups,
        bias=bias is not None,
    )
    conv.weight = nn.Parameter(weight)
    if bias is not None:
        conv.bias = nn.Parameter(bias)
    return conv


def _sliced(how: Attributes, x: torch.Tensor, *bounds: list[int]) -> torch.Tensor:
    start, end, axis = (bound[0] for bound in bounds[:3])
    return x.narrow(axis, start, min(end, x.shape[axis]) - start)


def _reshaped(how: Attributes, x: torch.Tensor, shape: list[int]) -> torch.Tensor:
    """Reshape; 0 is the size that is there."""
    return x.reshape([size or x.shape[axis] for axis, size in enumerate(shape)])


_OPS: dict[str, Callable[..., torch.Tensor]] = {
    "Add": lambda how, a, b: a + b,
    "Sub": lambda how, a, b: a - b,
    "Mul": lambda how, a, b: a * b,
    "Div": lambda how, a, b: a / b,
    "Pow": lambda how, a, b: a**b,
    "Sqrt": lambda how, x: x.sqrt(),
    "Clip": lambda how, x, low, high: x.clamp(low, high),
    "Relu": lambda how, x: x.relu(),
    "Sigmoid": lambda how, x: x.sigmoid(),
    "HardSigmoid": lambda how, x: (x * how["alpha"] + how["beta"]).clamp(0, 1),
    "MatMul": lambda how, a, b: a @ b,
    "Softmax": lambda how, x: x.softmax(how["axis"]),
    "ReduceMean": lambda how, x: x.mean(how["axes"], keepdim=True),
    "GlobalAveragePool": lambda how, x: x.mean((2, 3), keepdim=True),
    "AveragePool": lambda how, x: F.avg_pool2d(x, how["kernel_shape"], how["strides"]),
    "Transpose": lambda how, x: x.permute(how["perm"]),
    "Reshape": _reshaped,
    "Concat": lambda how, *parts: torch.cat(parts, how["axis"]),
    "Squeeze": lambda how, x: x.squeeze(how["axes"][0]),
    "Slice": _sliced,
}


def recogniser() -> nn.Module:
    """Return the recogniser; its output is 1 x places x probabilities of characters."""
    return Recogniser(_model().graph).eval().requires_grad_(False)


def texts(outputs: torch.Tensor) -> list[str]:
    """Decode: the likeliest at each place, repeats merged, blanks (0) dropped."""
    (stored,) = (p.value for p in _model().metadata_props if p.key == "character")
    characters = ["", *stored.splitlines(), " "]
    best = [torch.unique_consecutive(row).tolist() for row in outputs.argmax(-1)]
    return ["".join(characters[index] for index in row).strip() for row in best]


def words(count: int = 200) -> tuple[torch.Tensor, list[str]]:
    """Render words of the licence, black on white: N x 3 x 48 x 320, and what they say."""
    distinct = dict.fromkeys(re.findall(r"[A-Za-z]{4,12}", (ROOT / "LICENSE").read_text()))
    said = list(distinct)[:count]
    return torch.cat([_rendered(word) for word in said]), said


def _rendered(word: str) -> torch.Tensor:
    canvas = Image.new("L", (WIDTH, HEIGHT), 255)
    ImageDraw.Draw(canvas).text((8, HEIGHT // 2), word, 0, ImageFont.load_default(30), anchor="lm")
    grey = torch.from_numpy(np.array(canvas, np.float32)).expand(1, 3, -1, -1)
    return (grey / 255 - 0.5) / 0.5
