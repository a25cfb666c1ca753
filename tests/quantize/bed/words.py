"""PP-OCRv4's recogniser (convolutions and attention, trained) and its detector of text (convolutions)
as torch modules, words to read and pages to find them on.

Their ONNX files are from the package rapidocr-onnxruntime (`packages.txt`); nothing of it is imported.
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
PAGE = 224, 320  # height and width of a page
_FILES = "rapidocr_onnxruntime/models/ch_PP-OCRv4_{}_infer.onnx"
_RECOGNISER, _DETECTOR = "rec", "det"
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of the detector's pixels
Attributes = dict[str, Any]


@cache
def _model(kind: str, size: tuple[int, int]) -> Any:
    """Read the file, with shapes fixed and folded, and batch norms in the convolutions."""
    import onnx
    import onnxsim

    model = onnx.load(packaged(_FILES.format(kind)))
    return onnxsim.simplify(model, overwrite_input_shapes={"x": [1, 3, *size]})[0]


class Read(nn.Module):
    """The graph, node by node: layers for convolutions and linears, functions for the rest."""

    def __init__(self, graph: Any, size: tuple[int, int]) -> None:
        super().__init__()
        from onnx import numpy_helper

        self.input_size = (3, *size)
        self.preprocess: Attributes = {"mean": 0.5, "std": 0.5, "crop_pct": 1.0}

        constants = {t.name: torch.tensor(numpy_helper.to_array(t)) for t in graph.initializer}
        self.layers, self.tensors, self.names = nn.ModuleDict(), nn.ParameterList(), list[str]()
        self.steps: list[tuple[Callable[..., torch.Tensor], list[str], str]] = []
        for node in graph.node:
            attributes, inputs, output = _attributes(node), list(filter(None, node.input)), node.output[0]  # fmt: skip
            if node.op_type == "Constant":
                constants[output] = torch.tensor(numpy_helper.to_array(attributes["value"]))
            elif layer := _layer(node.op_type, [constants.get(n) for n in inputs], attributes):
                self.layers[f"{node.op_type}_{len(self.layers)}"] = layer
                self.steps.append((layer, inputs[:1], output))
            else:
                known = {i: constants[n] for i, n in enumerate(inputs) if n in constants}
                of_python = node.op_type == "Resize"  # its factors
                numbers = {i: _number(tensor, of_python) for i, tensor in known.items()}
                numbers = {i: number for i, number in numbers.items() if number is not None}
                for i, name in enumerate(inputs):
                    if i in known and i not in numbers:
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


def _number(constant: torch.Tensor, of_python: bool) -> float | list[float] | None:
    """Return what is a number, or the integers of a shape, to Python; None for a tensor."""
    if of_python or not constant.is_floating_point():
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


def _spread(
    how: Attributes, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | float
) -> torch.Tensor:
    y = F.conv_transpose2d(x, weight, stride=how["strides"])
    return y + (bias if isinstance(bias, float) else bias.reshape(-1, 1, 1))


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
    "ConvTranspose": _spread,
    "Resize": lambda how, x, *rest: F.interpolate(x, scale_factor=rest[-1][2:], mode="nearest"),
    "Concat": lambda how, *parts: torch.cat(parts, how["axis"]),
    "Squeeze": lambda how, x: x.squeeze(how["axes"][0]),
    "Slice": _sliced,
}


def recogniser() -> nn.Module:
    """Return the recogniser; its output is 1 x places x probabilities of characters."""
    return _read(_RECOGNISER, (HEIGHT, WIDTH))


def detector() -> nn.Module:
    """Return the detector; its output is the probability of text, pixel by pixel."""
    net = _read(_DETECTOR, PAGE)
    net.preprocess = {"mean": _MEAN, "std": _STD, "crop_pct": 1.0}
    return net


def _read(kind: str, size: tuple[int, int]) -> Read:
    return Read(_model(kind, size).graph, size).eval().requires_grad_(False)


def texts(outputs: torch.Tensor) -> list[str]:
    """Decode: the likeliest at each place, repeats merged, blanks (0) dropped."""
    (stored,) = (p.value for p in _model(_RECOGNISER, (HEIGHT, WIDTH)).metadata_props if p.key == "character")  # fmt: skip
    characters = ["", *stored.splitlines(), " "]
    best = [torch.unique_consecutive(row).tolist() for row in outputs.argmax(-1)]
    return ["".join(characters[index] for index in row).strip() for row in best]


def words(count: int = 200) -> tuple[torch.Tensor, list[str]]:
    """Render words of the licence, black on white: N x 3 x 48 x 320, and what they say."""
    said = _distinct()[:count]
    return torch.cat([_rendered(word) for word in said]), said


def pages(count: int) -> tuple[torch.Tensor, list[list[tuple[int, int]]]]:
    """Render pages of eight words each, of several sizes and greys: N x 3 x 224 x 320, and the middle
    of each word as row and column."""
    images, middles = [], []
    random, distinct = np.random.default_rng(0), iter(_distinct())
    for _ in range(count):
        canvas = Image.new("L", (PAGE[1], PAGE[0]), int(random.integers(190, 256)))
        draw, middle = ImageDraw.Draw(canvas), []
        for place in range(8):
            row = 28 + 56 * (place // 2) + int(random.integers(-8, 9))
            column = 80 + 160 * (place % 2) + int(random.integers(-12, 13))
            font = ImageFont.load_default(int(random.integers(15, 25)))
            draw.text(
                (column, row), next(distinct), int(random.integers(0, 100)), font, anchor="mm"
            )
            middle.append((row, column))
        grey = torch.from_numpy(np.array(canvas, np.float32) / 255).expand(1, 3, -1, -1)
        mean, std = (torch.tensor(values).reshape(1, 3, 1, 1) for values in (_MEAN, _STD))
        images.append((grey - mean) / std)
        middles.append(middle)
    return torch.cat(images), middles


def _distinct() -> list[str]:
    found = re.findall(r"[A-Za-z]{4,12}", (ROOT / "LICENSE").read_text())
    return list(dict.fromkeys(found))


def _rendered(word: str) -> torch.Tensor:
    canvas = Image.new("L", (WIDTH, HEIGHT), 255)
    ImageDraw.Draw(canvas).text((8, HEIGHT // 2), word, 0, ImageFont.load_default(30), anchor="lm")
    grey = torch.from_numpy(np.array(canvas, np.float32)).expand(1, 3, -1, -1)
    return (grey / 255 - 0.5) / 0.5
