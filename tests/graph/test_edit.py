"""Constants that rules add."""

from __future__ import annotations

import pytest
import torch

from edgevit.graph.edit import row_by_row


@pytest.mark.parametrize(
    "tensor",
    [
        torch.randn(1, 2, 16).transpose(
            0, 1
        ),  # contiguous to torch, with the stride of another order
        torch.randn(4, 6).t(),
        torch.randn(3)[1],
        torch.zeros(2, 0, 3),
        torch.ones(2, 1, 3, dtype=torch.bool).transpose(0, 1),
    ],
)
def test_strides_are_those_of_the_shape(tensor: torch.Tensor) -> None:
    laid_out = row_by_row(tensor)
    assert laid_out.stride() == torch.empty(tensor.shape).stride()
    assert torch.equal(laid_out, tensor)
