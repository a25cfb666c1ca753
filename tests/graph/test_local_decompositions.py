"""Decompositions of single calls give the program that torch's of the whole graph gives, name by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.ao.quantization.fx._decomposed  # pyright: ignore[reportUnusedImport]  # registers its operators
from torch import nn
from torch.export import ExportedProgram, _trace

from edgevit.graph import local_decompositions as local
from edgevit.graph.local_decompositions import local_decompositions

_OPS = torch.ops.quantized_decomposed


class Net(nn.Module):
    """Composite and plain operators, views, pieces, several shapes of one operator, and two scales."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(n, 8, 3, padding=1) for n in (3, 8))
        self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        x = self.second(nn.functional.gelu(self.first(x)))
        for scale in (0.1, 0.2):
            where = (scale, 3, -128, 127, torch.int8)
            x = _OPS.dequantize_per_tensor(_OPS.quantize_per_tensor(x, *where), *where)
        tokens = self.norm(x.flatten(2).transpose(1, 2))
        scale, zero = _OPS.choose_qparams_per_token_asymmetric(tokens, torch.int8)
        rows = (scale, zero, -128, 127, torch.int8)
        steps = _OPS.quantize_per_token(tokens, *rows)
        tokens = _OPS.dequantize_per_token(steps, *rows, torch.float32)
        one, other = self.head(tokens).chunk(2, -1)
        y = nn.functional.scaled_dot_product_attention(one, other, other)
        return y.reshape(-1) + torch.ones(1), nn.functional.hardtanh(one).clone()


def listed(exported: ExportedProgram) -> list[str]:
    def form(value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [*map(form, value)]
        return value if value is None else (value.dtype, tuple(value.shape), value.stride())

    return [
        f"{node} {node.op} {node.target} {node.args} {node.kwargs} {form(node.meta.get('val'))}"
        for node in exported.graph.nodes
        if node.op != "output"
    ] + [str(exported.graph_signature)]


def exported(module: nn.Module) -> ExportedProgram:
    return torch.export.export(module.eval(), (torch.randn(1, 3, 8, 8),))


@pytest.mark.parametrize("table", [{}, None])
def test_the_program_is_torchs(table: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    program = exported(Net())
    usual = listed(program.run_decompositions(table))
    traced: list[Any] = []
    trace: Callable[..., Any] = local._traced
    monkeypatch.setattr(local, "_traced", lambda *a: (traced.append(a[0]), trace(*a))[1])
    with local_decompositions():
        whole = _trace._aot_export_joint_with_descriptors
        program = program.run_decompositions(table)
    assert listed(program) == usual
    targets = [str(node.target) for node in traced]
    assert targets.count("aten.conv2d.default") == 2  # of two shapes
    assert "aten.gelu.default" not in targets  # stays as it is
    assert _trace._aot_export_joint_with_descriptors is not whole


class Counter(nn.Module):
    """A buffer that is written to: no call shows it alone."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.count += 1
        return x * self.count


class Same(nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x, x.relu()


@pytest.mark.parametrize("module", [Counter(), Same()])
def test_what_single_calls_do_not_show_is_left_to_torch(module: nn.Module) -> None:
    program = exported(module)
    usual = listed(program.run_decompositions())
    with local_decompositions():
        assert listed(program.run_decompositions()) == usual
