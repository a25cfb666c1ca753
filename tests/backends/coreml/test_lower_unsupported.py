"""What Core ML cannot say is said all at once, with the lines it comes from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from edgevit.backends.coreml.composite import expand_composites
from edgevit.backends.coreml.failure import blame
from edgevit.backends.coreml.supported import is_taken
from edgevit.errors import InternalError, UnsupportedOpError
from edgevit.frontend.capture import capture
from edgevit.graph.aten import op
from tests.backends.coreml.lowering import far, lowered, source_of

X = torch.randn(1, 4, 6, 6, generator=torch.Generator().manual_seed(0))


class Special(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.PReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.special.bessel_j0(self.inner(x))
        x = torch.special.bessel_j1(x) + torch.special.bessel_j0(x)
        return torch.igamma(x.abs() + 1, x.abs() + 2)


def test_all_unsupported_ops_are_named_with_their_lines(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedOpError) as caught:
        lowered(source_of(Special(), X), tmp_path)
    error = caught.value
    for name in ("`special_bessel_j0` (2x)", "`special_bessel_j1` (1x)", "`igamma` (1x)"):
        assert name in error.message
    assert "special_bessel_j0(1x4x6x6 f32) -> 1x4x6x6 f32   at  " in error.where
    assert error.where.count("test_lower_unsupported.py:") == 4
    assert "coremltools 9" in error.why
    assert not list(tmp_path.iterdir())


def test_an_op_that_fails_in_conversion_is_named(tmp_path: Path) -> None:
    class Inverse(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.multinomial(torch.relu(x[0, 0]) + 1, 2).float()

    with pytest.raises(UnsupportedOpError, match="`multinomial`") as caught:
        lowered(source_of(Inverse(), X), tmp_path)
    assert "test_lower_unsupported.py:" in caught.value.where
    assert caught.value.why


def test_a_failure_that_names_a_value_of_the_graph() -> None:
    program = capture(source_of(nn.Sequential(nn.ReLU(), nn.Sigmoid()), X))
    with pytest.raises(UnsupportedOpError, match="`sigmoid`"), blame(program, "write the package"):
        raise ValueError("layer 'sigmoid_cast_fp16' is of rank 7")
    with pytest.raises(InternalError, match="failed to write the package"):  # noqa: SIM117
        with blame(program, "write the package"):
            raise ValueError("the disk is full")


COMPOSITES = {
    "alias": torch.ops.aten.alias,
    "flatten": lambda x: x.flatten(1),
    "chunk": lambda x: sum(part.sin() for part in x.chunk(2, 1)),
    "tensor_split": lambda x: torch.tensor_split(x, [1, 3], dim=1)[1],
    "unflatten": lambda x: x.unflatten(1, (2, 2)),
    "movedim": lambda x: x.movedim(1, 3),
    "instance_norm": nn.functional.instance_norm,
    "pixel_shuffle": lambda x: nn.functional.pixel_shuffle(x, 2),
    "cosine_similarity": lambda x: torch.cosine_similarity(x, x * 2 + 1, dim=1),
    "swapaxes": lambda x: x.swapaxes(1, 2),
    "to": lambda x: (x > 0).to(torch.float32),
    "log_sigmoid": nn.functional.logsigmoid,
    "channel shuffle": lambda x: torch.channel_shuffle(x, 2),
    "rms_norm": lambda x: nn.functional.rms_norm(x, (6,)),
    "vector norm": lambda x: torch.linalg.vector_norm(x, 3, dim=1),
    "logaddexp": lambda x: torch.logaddexp(x, x * 2),
    "addcmul": lambda x: torch.addcmul(x, x, x, value=0.5),
    "lerp": lambda x: torch.lerp(x, x * 2, 0.3),
    "grid_sample": lambda x: nn.functional.grid_sample(
        x, x.reshape(1, 9, 8, 2), align_corners=False
    ),
    "hardshrink": nn.functional.hardshrink,
    "celu": nn.functional.celu,
    "softmin": lambda x: nn.functional.softmin(x, 1),
    "adaptive_max_pool": lambda x: nn.functional.adaptive_max_pool2d(x, 2),
    "adaptive_avg_pool, uneven": lambda x: nn.functional.adaptive_avg_pool2d(x, 4),
    "upsample, nearest-exact": lambda x: nn.functional.interpolate(
        x, size=(9, 9), mode="nearest-exact"
    ),
    "upsample, bilinear": lambda x: nn.functional.interpolate(x, size=(9, 11), mode="bilinear"),
    "upsample, aligned": lambda x: nn.functional.interpolate(
        x, scale_factor=2, mode="bilinear", align_corners=True
    ),
    "upsample, nearest": lambda x: nn.functional.interpolate(x, size=(9, 4), mode="nearest"),
    "unfold": lambda x: nn.functional.unfold(x, 3, stride=2),
    "roll": lambda x: x.roll((1, 2), (2, 3)),
    "einsum": lambda x: torch.einsum("bchw,bdhw->bcd", x, x),
    "reflect pad": lambda x: nn.functional.pad(x, (2, 1, 1, 2), mode="reflect"),
    "replicate pad": lambda x: nn.functional.pad(x, (2, 1, 1, 2), mode="replicate"),
    "pixel_unshuffle": lambda x: nn.functional.pixel_unshuffle(x, 2),
    "group_norm": lambda x: nn.functional.group_norm(x, 2),
    "std": lambda x: x.std((2, 3)),
    "var_mean": lambda x: torch.var_mean(x, 1)[0],
    "cumsum": lambda x: x.cumsum(1),
    "masked_fill": lambda x: x.masked_fill(x > 0, -1.0),
    "where": lambda x: torch.where(x > 0, x, 2 * x),
    "topk": lambda x: x.topk(2, 1)[0],
    "sort": lambda x: x.sort(1)[0],
    "glu": lambda x: nn.functional.glu(x, 1),
    "hardswish": nn.functional.hardswish,
    "mish": nn.functional.mish,
    "tanh gelu": lambda x: nn.functional.gelu(x, approximate="tanh"),
    "normalize": lambda x: nn.functional.normalize(x, dim=1),
    "index": lambda x: x[:, torch.tensor([2, 0, 1])],
    "repeat_interleave": lambda x: x.repeat_interleave(2, 1),
    "flip": lambda x: x.flip(1),
    "meshgrid": lambda x: (
        x + torch.meshgrid(torch.arange(6.0), torch.arange(6.0), indexing="ij")[0]
    ),
    "baddbmm": lambda x: torch.baddbmm(x[0], x[0], x[0], beta=0.5, alpha=2.0),
    "floor division": lambda x: torch.div(x * 10, 3, rounding_mode="floor"),
    "remainder": lambda x: torch.remainder(x * 10, 3),
    "clamp": lambda x: x.clamp(-0.5, None),
    "erf": torch.erf,
    "scaled sum": lambda x: torch.add(x, x.sin(), alpha=3),
    "scaled difference": lambda x: torch.sub(x, x.sin(), alpha=3),
    "scaled reverse difference": lambda x: torch.rsub(x, x.sin(), alpha=3),
    "mean of booleans": lambda x: (x > 0).sum(1, dtype=torch.float32),
    "scaled attention": lambda x: nn.functional.scaled_dot_product_attention(x, x, x, scale=0.7),
    "causal attention": lambda x: nn.functional.scaled_dot_product_attention(
        x, x, x, is_causal=True
    ),
    "masked attention": lambda x: nn.functional.scaled_dot_product_attention(x, x, x, x > 0),
    "amax": lambda x: x.amax((2, 3)),
    "slice with step": lambda x: x[:, 1::2, ::3],
    "expand": lambda x: x[:, :1].expand(1, 4, 6, 6) + x,
    "all": lambda x: (x > -9).all(1).float(),
    "gru cell": lambda x: torch.gru_cell(x[0, 0], x[0, 1], *[x[0, 0].repeat(3, 1)] * 2),
    "lstm cell": lambda x: torch.lstm_cell(
        x[0, 0], [x[0, 1], x[0, 2]], *[x[0, 0].repeat(4, 1)] * 2
    )[0],
    "lstm": lambda x: torch.lstm(
        x[0], [x[:, 0] * 0, x[:, 1]], [x[0, 0].repeat(4, 1)] * 2, False, 1, 0.0, False, False, False
    )[0],
}


class Call(nn.Module):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return COMPOSITES[self.name](x)


@pytest.mark.parametrize("name", COMPOSITES)
def test_composites_are_said_with_ops_that_core_ml_has(tmp_path: Path, name: str) -> None:
    program, artifact = lowered(source_of(Call(name), X), tmp_path)
    assert far(program, artifact.path, "fp32").rel_l2 < 1e-5


def test_a_composite_becomes_its_definition() -> None:
    program = capture(source_of(Call("chunk"), X))
    expanded = expand_composites(program, is_taken)
    assert "chunk" not in {op(node) for node in expanded.calls()}
    assert all(is_taken(node) for node in expanded.calls())
    assert torch.equal(expanded.run()[0], program.run()[0])
    assert all(node.meta["origin"].source for node in expanded.calls())


def test_float16_in_a_package_of_float32(tmp_path: Path) -> None:
    class Rounding(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.half().float() * 2

    with pytest.raises(UnsupportedOpError, match="float16") as caught:
        lowered(source_of(Rounding(), X), tmp_path)
    assert "test_lower_unsupported.py:" in caught.value.where
