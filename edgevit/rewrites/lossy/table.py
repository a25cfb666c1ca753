"""Every lossy option: its name, how its value is written, what it does in one line."""

from __future__ import annotations

from edgevit.rewrites.lossy.gelu_relu import GeluRelu
from edgevit.rewrites.lossy.gelu_sigmoid import GeluSigmoid
from edgevit.rewrites.lossy.gelu_tanh import GeluTanh
from edgevit.rewrites.lossy.option import Option, by_rule

OPTIONS: dict[str, Option] = {
    "gelu-tanh": Option("GELU by its tanh form", by_rule(GeluTanh())),
    "gelu-sigmoid": Option("GELU by x * sigmoid(1.702 x)", by_rule(GeluSigmoid())),
    "gelu-relu": Option("GELU by ReLU", by_rule(GeluRelu())),
}
