"""Matrix products and attention."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from edgevit.backends.coreml.check.ops.arguments import Arguments, OpFunction


def linear(a: Arguments) -> Tensor:
    return F.linear(a.tensor("x"), a.tensor("weight"), a.maybe("bias"))


def matmul(a: Arguments) -> Tensor:
    x, y = a.tensor("x"), a.tensor("y")
    if a.flag("transpose_x") and x.dim() > 1:
        x = x.transpose(-1, -2)
    if a.flag("transpose_y") and y.dim() > 1:
        y = y.transpose(-1, -2)
    return x @ y


def einsum(a: Arguments) -> Tensor:
    return torch.einsum(a.text("equation").replace(" ", ""), *a.tensors("values"))


def scaled_dot_product_attention(a: Arguments) -> Tensor:
    mask = a.maybe("attn_mask")
    return F.scaled_dot_product_attention(
        a.tensor("query"), a.tensor("key"), a.tensor("value"), attn_mask=mask
    )


OPS: dict[str, OpFunction] = {
    "linear": linear,
    "matmul": matmul,
    "einsum": einsum,
    "scaled_dot_product_attention": scaled_dot_product_attention,
}
