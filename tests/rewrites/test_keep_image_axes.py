"""keep-image-axes takes the mean of an image's places with its axes kept, which converters know."""

from __future__ import annotations

import torch

from edgevit.graph.aten import argument, kind
from edgevit.rewrites.pools_and_padding.keep_image_axes import KeepImageAxes
from tests.rewrites.checking import Call, check_rewrite

RULE = KeepImageAxes()
IMAGE = torch.randn(1, 6, 4, 4)


def test_the_mean_keeps_its_axes_and_a_reshape_drops_them() -> None:
    for axes in ((2, 3), (-1, -2)):
        after = check_rewrite(RULE, Call(lambda _, x, a=axes: x.mean(a)), IMAGE, fires=1)
        (mean,) = (node for node in after.calls() if kind(node) == "mean")
        assert argument(mean, "keepdim")


def test_leaves_means_over_other_axes_and_those_that_keep_them() -> None:
    for net in (
        lambda _, x: x.mean((2, 3), True),
        lambda _, x: x.mean((1, 2)),
        lambda _, x: x[0].mean(1),
    ):
        check_rewrite(RULE, Call(net), IMAGE, fires=0)
