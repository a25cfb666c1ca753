"""The `ExportedProgram` that converters read."""

from __future__ import annotations

import torch
from torch import nn

from edgevit.backends.exported import exported_program
from edgevit.frontend.capture import capture
from edgevit.frontend.source import ModelSource


def test_a_layer_that_is_called_by_a_number() -> None:
    """A plain `Sequential`: its first constant is `0.weight`, which is no Python name."""
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU()).eval()
    x = torch.randn(1, 3, 4, 4)
    source = ModelSource("test", "test", net, (x,), ("x",), "a test", "as built")
    decomposed = exported_program(capture(source)).run_decompositions()
    torch.testing.assert_close(decomposed.module()(x)[0], net(x))
