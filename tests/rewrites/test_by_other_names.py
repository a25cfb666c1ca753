"""Norms of instances as norms of groups; extremes over several axes as pools or along one axis after the other."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from edgevit.rewrites.norms.group_instances import GroupInstances
from edgevit.rewrites.pools_and_padding.split_extremes import SplitExtremes
from tests.rewrites.checking import Call, check_rewrite

X = torch.randn(2, 4, 5, 6)


@pytest.mark.parametrize("affine", [False, True])
def test_an_instance_norm_is_a_group_norm(affine: bool) -> None:
    check_rewrite(GroupInstances(), nn.InstanceNorm2d(4, affine=affine).eval(), X, fires=1)


def test_stored_statistics_are_another_norm() -> None:
    net = nn.InstanceNorm2d(4, track_running_stats=True).eval()
    check_rewrite(GroupInstances(), net, X, fires=0, refuses="stored statistics")


@pytest.mark.parametrize("axes", [(2, 3), (1, 3), (0, 1, 2), ()])
@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("name", ["amax", "amin"])
def test_extremes_over_several_axes(name: str, axes: tuple[int, ...], keepdim: bool) -> None:
    net = Call(lambda s, x: getattr(torch, name)(x, axes, keepdim))
    check_rewrite(SplitExtremes(), net, X, fires=1)


def test_one_axis_is_left() -> None:
    check_rewrite(SplitExtremes(), Call(lambda s, x: torch.amax(x, 2)), X, fires=0)
