"""Fewer passes than coremltools runs by default, and the same package."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch
from torch import nn

from edgevit.backends.coreml.check import load_package
from edgevit.backends.coreml.composite import expand_composites
from edgevit.backends.coreml.passes import FULL_PRECISION, HALF_PRECISION, ONLY_FULL_PRECISION
from edgevit.backends.coreml.supported import is_taken
from edgevit.backends.coreml.tool import coremltools, quiet
from edgevit.backends.exported import exported_program
from edgevit.graph.program import Program
from tests.backends.coreml.lowering import Hybrid, lowered, source_of

X = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))


class Assorted(nn.Module):
    """What the fusing passes look for: norms around convolutions, paddings, gathers, windows, chains of reshapes."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 8, 3, padding=1, padding_mode="reflect", bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.up = nn.ConvTranspose2d(8, 8, 2, 2)
        self.gate = nn.PReLU(8)
        self.table = nn.Parameter(torch.randn(8, 8))
        self.layer = nn.LayerNorm(8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.gate(self.norm(self.convolution(x)) * 0.5 + 1)
        x = nn.functional.silu(nn.functional.avg_pool2d(self.up(x), 2))
        windows = x.reshape(8, 2, 8, 2, 8).permute(1, 3, 2, 4, 0).reshape(4, 64, 8)
        scores = windows @ self.table[torch.tensor([3, 1, 0, 2])].T
        mixed = self.layer(windows).transpose(1, 2) @ scores.softmax(-1)
        return nn.functional.gelu(mixed.transpose(1, 2) / 3).flatten(1).mean(0)


NETS = {"hybrid": Hybrid, "assorted": Assorted}


def default_counts(program: Program, directory: Path, half: bool) -> Counter[str]:
    ct = coremltools()
    with quiet():
        model = ct.convert(
            exported_program(expand_composites(program, is_taken)),
            minimum_deployment_target=ct.target.iOS17,
            compute_precision=ct.precision.FLOAT16 if half else ct.precision.FLOAT32,
            outputs=[ct.TensorType(name=name, dtype=float) for name in program.output_names],
            skip_model_load=True,
        )
        model.save(str(directory / "default.mlpackage"))
    return counts(directory / "default.mlpackage")


def counts(path: Path) -> Counter[str]:
    return Counter(operation.kind for operation in load_package(path).main.operations)


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("precision", ["fp16", "fp32"])
def test_as_many_ops_of_each_kind_as_the_default_pipeline(
    tmp_path: Path, name: str, precision: str
) -> None:
    torch.manual_seed(0)
    program, artifact = lowered(source_of(NETS[name](), X), tmp_path, precision)  # type: ignore[arg-type]
    assert counts(artifact.path) == default_counts(program, tmp_path, precision == "fp16")


def test_all_passes_are_coremltools_own() -> None:
    ours = set(FULL_PRECISION + ONLY_FULL_PRECISION + HALF_PRECISION)
    default = {name.removeprefix("common::") for name in coremltools().PassPipeline.DEFAULT.passes}
    assert ours <= default
    # Names are made valid before conversion, and there is no state in a vision model.
    assert default - ours == {
        "sanitize_input_output_names",
        "canonicalize_inplace_pattern",
        "prefer_state_in_downstream",
    }
