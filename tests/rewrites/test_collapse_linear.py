"""collapse-linear finds, without a hook, what authors fold by hand; and declines where folding is wrong."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from edgevit.graph.cost import stats
from edgevit.rewrites.convolutions.collapse_linear import CollapseLinear
from edgevit.rewrites.engine import apply
from tests.rewrites.checking import check_rewrite, program_for, warm

RULE = CollapseLinear()
X = torch.randn(1, 8, 12, 12, generator=torch.Generator().manual_seed(1))


class Branches(nn.Module):
    """The sum of several branches of one input, each a module."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        total = self.branches[0](x)
        for branch in self.branches[1:]:
            total = total + branch(x)
        return total


def conv_bn(ins: int, outs: int, kernel: int, **options: object) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(ins, outs, kernel, bias=False, **options), nn.BatchNorm2d(outs))


class RepMixer(nn.Module):
    """x + s * (mix(x) - norm(x)), with mix itself three branches."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(width)
        self.mix = Branches(
            conv_bn(width, width, 3, padding=1, groups=width),
            conv_bn(width, width, 1, groups=width),
            nn.BatchNorm2d(width),
        )
        self.scale = nn.Parameter(torch.rand(width, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.scale * (self.mix(x) - self.norm(x))


ONE_CONVOLUTION = {
    "conv and batch norm": conv_bn(8, 6, 3, padding=1),
    "RepVGG": Branches(conv_bn(8, 8, 3, padding=1), conv_bn(8, 8, 1), nn.BatchNorm2d(8)),
    "RepVGG, strided": Branches(conv_bn(8, 6, 3, padding=1, stride=2), conv_bn(8, 6, 1, stride=2)),
    "MobileOne": Branches(*(conv_bn(8, 8, 3, padding=1, groups=8) for _ in range(4)), nn.BatchNorm2d(8)),
    "RepMixer": RepMixer(8),
    "RepVGGDW": nn.Sequential(
        Branches(conv_bn(8, 8, 3, padding=1, groups=8), nn.Conv2d(8, 8, 1, groups=8), nn.Identity()),
        nn.BatchNorm2d(8),
    ),
    "1x1, kxk, 1x1": nn.Sequential(
        nn.Conv2d(8, 8, 1, bias=False), nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 1)
    ),
    "large and small kernel": Branches(
        conv_bn(8, 8, 7, padding=3, groups=8), conv_bn(8, 8, 3, padding=1, groups=8)
    ),
    "dilated branch": Branches(
        conv_bn(8, 8, 5, padding=2, groups=8), conv_bn(8, 8, 3, padding=2, dilation=2, groups=8)
    ),
    "all branches dilated": Branches(
        conv_bn(8, 8, 3, padding=2, dilation=2), conv_bn(8, 8, 1)
    ),
    "average-pool branch": Branches(conv_bn(8, 8, 3, padding=1), nn.AvgPool2d(3, 1, 1)),
    "strided average-pool branch": Branches(
        conv_bn(8, 8, 3, padding=1, stride=2), nn.Sequential(nn.AvgPool2d(2, 2), nn.BatchNorm2d(8))
    ),
    "grouped and dense": Branches(conv_bn(8, 8, 3, padding=1), conv_bn(8, 8, 3, padding=1, groups=4)),
    "batch norm, unpadded convolution": nn.Sequential(nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3)),
    "pad, then convolution": nn.Sequential(nn.ZeroPad2d(1), nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8)),
    "unpadded chain": nn.Sequential(nn.Conv2d(8, 4, 3), nn.Conv2d(4, 2, 1), nn.BatchNorm2d(2)),
    "strides multiply": nn.Sequential(
        nn.Conv2d(8, 8, 1, stride=2, bias=False), nn.Conv2d(8, 8, 3, stride=2, padding=1)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ONE_CONVOLUTION)
def test_collapses_to_one_convolution(name: str) -> None:
    model = warm(ONE_CONVOLUTION[name])
    after = check_rewrite(RULE, model, X, fires=1)
    found = stats(after)
    assert (found.ops, found.convs) == (1, 1)
    assert found.macs <= stats(program_for(model, X)).macs


def test_dilated_branches_keep_their_dilation() -> None:
    model = Branches(*(nn.Conv2d(8, 8, 3, padding=2, dilation=2) for _ in range(2)))
    after = check_rewrite(RULE, model, X, fires=1)
    (conv,) = after.calls()
    assert list(conv.args[5]) == [2, 2]


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_any_number_of_axes(dims: int) -> None:
    conv = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[dims - 1]
    norm = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)[dims - 1]
    model = warm(Branches(nn.Sequential(conv(4, 4, 3, padding=1), norm(4)), norm(4)))
    check_rewrite(RULE, model, torch.randn(1, 4, *(6,) * dims), fires=1)


class TokenNet(nn.Module):
    """Linear, batch norm over the flattened tokens, layer scale: the token nets' own chain."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.norm = nn.Linear(8, 6), nn.BatchNorm1d(6)
        self.scale = nn.Parameter(torch.rand(6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.linear(x)
        return self.norm(y.flatten(0, 1)).reshape(y.shape) * self.scale


def test_batch_norm_and_layer_scale_fold_into_a_linear_across_reshapes() -> None:
    model = warm(TokenNet())
    after = check_rewrite(RULE, model, torch.randn(2, 5, 8), fires=1)
    assert [n.target for n in after.calls()] == [torch.ops.aten.linear.default]


class TwoHeads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(8, 5), nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (self.a(x) + self.b(x)) / 2


def test_two_averaged_heads_are_one() -> None:
    after = check_rewrite(RULE, TwoHeads(), torch.randn(3, 8), fires=1)
    assert len(list(after.calls())) == 1


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (
            nn.Sequential(nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3, padding=1)),
            "already shifted by a bias",
        ),
        (
            nn.Sequential(nn.Conv2d(8, 8, 1), nn.Conv2d(8, 4, 3, padding=1)),
            "already shifted by a bias",
        ),
        (
            nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.Conv2d(8, 8, 3, padding=1)),
            "would still see the image",
        ),
        (
            nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False), nn.Conv2d(8, 32, 1)),
            "would cost more",
        ),
    ],
)
def test_declines_and_says_why(model: nn.Module, reason: str) -> None:
    check_rewrite(RULE, warm(model), X, fires=0, refuses=reason)


def test_average_pool_that_divides_by_less_at_the_border_stays() -> None:
    model = Branches(nn.Conv2d(8, 8, 3, padding=1), nn.AvgPool2d(3, 1, 1, count_include_pad=False))
    check_rewrite(RULE, model, X, fires=0)


def test_ceil_mode_window_that_hangs_over_stays() -> None:
    model = nn.Sequential(nn.AvgPool2d(2, 2, ceil_mode=True), nn.Conv2d(8, 4, 1))
    x = torch.randn(1, 8, 11, 11)
    check_rewrite(RULE, model, x, fires=0)


class ReadTwice(nn.Module):
    """The value in the middle has a second reader, so its convolution stays."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        return torch.cat([self.b(y), F.relu(y)], 1)


def test_a_second_reader_keeps_the_chain() -> None:
    check_rewrite(RULE, ReadTwice(), X, fires=0)


class Nonlinear(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * x + torch.relu(x)


def test_products_of_values_are_not_linear() -> None:
    check_rewrite(RULE, Nonlinear(), X, fires=0)


def test_position_dependent_addition_is_not_collapsed() -> None:
    class Positions(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(8, 8, 1)
            self.table = nn.Parameter(torch.randn(1, 8, 12, 12))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.conv(x) + self.table

    check_rewrite(RULE, Positions(), X, fires=0)


def test_origin_points_at_the_convolution() -> None:
    program = program_for(warm(nn.Sequential(conv_bn(8, 8, 3, padding=1))), X)
    after, fired, _ = apply(RULE, program)
    (conv,) = after.calls()
    assert conv.meta["origin"].module == "0.0"
    assert conv.meta["origin"].rules == ("collapse-linear",)
    assert "0.1" in fired[0]
