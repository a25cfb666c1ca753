"""A weight that several calls read is rounded once for all of them, and stored once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import edgevit
from edgevit.integer.file import load_graph
from edgevit.quantize import CalibrationOptions
from edgevit.quantize.input_covariance import Moments
from edgevit.quantize.scheme import WeightForm
from edgevit.quantize.shared_weights import sharing, together
from edgevit.quantize.weight_rounding import compensated
from edgevit.quantize.weights import CompensatedWeights
from edgevit.rewrites.norms.fold_norm_affine import FoldNormAffine
from tests.rewrites.checking import check_rewrite, program_for

WIDTH = 48


class Recursive(nn.Module):
    """One layer three times over, as in SReT; with a norm of its own each time, or one."""

    def __init__(self, norms: int = 1, layers: int = 1) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(norms))
        self.layers = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(layers))
        for norm in self.norms:
            nn.init.normal_(norm.weight, 1, 0.1)
        self.head = nn.Linear(WIDTH, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for step in range(3):
            norm = self.norms[step % len(self.norms)]
            x = x + torch.tanh(self.layers[step % len(self.layers)](norm(x)))
        return self.head(x.mean(1))


def test_moments_together_are_those_of_all_inputs() -> None:
    rng = np.random.default_rng(0)
    each = [rng.normal(k, 1 + k, size=(1, 50 * k, 6)) for k in (1, 2, 5)]
    program = program_for(Recursive(), torch.randn(1, 4, WIDTH))
    (group,) = sharing(program)
    merged = together({node: _moments(x) for node, x in zip(group, each, strict=True)}, [group])
    whole = _moments(np.concatenate(each, 1))
    assert len(group) == 3 and {id(one) for one in merged.values()} == {id(merged[group[0]])}
    np.testing.assert_allclose(merged[group[0]].mean, whole.mean)
    np.testing.assert_allclose(merged[group[0]].covariance, whole.covariance)
    assert merged[group[0]].count == whole.count


def _moments(x: np.ndarray) -> Moments:
    apart = x - x.mean(1)[:, None]
    return Moments(x.mean(1), apart.transpose(0, 2, 1) @ apart / x.shape[1], x.shape[1])


def test_the_steps_of_inputs_do_not_part_a_shared_weight() -> None:
    rng = np.random.default_rng(0)
    known = _moments(rng.normal(size=(1, 90, 16)) @ rng.normal(size=(16, 16)))
    shared = Moments(known.mean, known.covariance, known.count, shared=True)
    rows = rng.normal(size=(9, 16))
    scale = np.abs(rows).max(1) / 127
    one, other = (compensated(rows, scale, shared, step) for step in (0.01, 3.0))
    assert np.array_equal(one, other)
    assert not np.array_equal(*(compensated(rows, scale, known, step) for step in (0.01, 3.0)))


def test_other_norms_before_it_are_not_folded_into_it() -> None:
    x = torch.randn(1, 4, WIDTH)
    check_rewrite(FoldNormAffine(), Recursive(), x, fires=3)
    check_rewrite(FoldNormAffine(), Recursive(norms=3, layers=3), x, fires=3)
    why = "a weight that reads it is read behind another norm too, and would be there twice"
    check_rewrite(FoldNormAffine(), Recursive(norms=3), x, refuses=why)


@pytest.mark.parametrize("norms", [1, 3])
def test_firmware_has_its_integers_once(norms: int, tmp_path: Path) -> None:
    flash = [_flash(Recursive(norms, layers), tmp_path / str(layers)) for layers in (1, 3)]
    assert flash[1] - flash[0] > 1.5 * WIDTH * WIDTH
    graph, _ = load_graph(tmp_path / "1" / "model.integer.safetensors")
    weights = [op.constants()["weight"] for op in graph.ops if op.kind == "linear"][:3]
    assert all(np.array_equal(weights[0], other) for other in weights[1:])


def _flash(net: nn.Module, folder: Path) -> int:
    np.save(folder.with_suffix(".npy"), torch.randn(24, 4, WIDTH).numpy())
    result = edgevit.export(
        net.eval(), (torch.randn(1, 4, WIDTH),), target="qemu-m4", output=folder,
        calibration=CalibrationOptions(str(folder.with_suffix(".npy"))),
    )  # fmt: skip
    return result.manifest["firmware"]["execution"]["memory"]["flash_bytes"]


def test_formats_share_a_rounded_weight_where_its_inputs_are_about_the_same() -> None:
    program = program_for(Recursive(), torch.randn(1, 4, WIDTH))
    layer = next(node for node in program.calls() if node.name.startswith("linear"))
    weight = program.constants[str(layer.all_input_nodes[1].target)]
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(1, 4 * WIDTH, WIDTH)) @ rng.normal(size=(WIDTH, WIDTH))
    weights, form = CompensatedWeights(), WeightForm()
    first = weights.rounded(layer, weight, None, form, _moments(inputs), 0.01)
    again = weights.rounded(
        layer, weight.clone(), None, form, _moments(inputs * (1 + 1e-6)), 0.0101
    )
    assert again is first
    for moments, step in ((_moments(inputs + 0.1), 0.01), (_moments(inputs), 0.02)):
        other = weights.rounded(layer, weight, None, form, moments, step)
        assert other is not first
    for changed in ((2 * weight, None), (weight, weight[:, 0])):
        assert weights.rounded(layer, *changed, form, _moments(inputs), 0.01) is not first
