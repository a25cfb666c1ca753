"""expand-resize writes a resize as two matrix products, whatever its options."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from edgevit.rewrites.resize.expand_resize import ExpandResize
from tests.rewrites.checking import check_rewrite

RULE = ExpandResize()


class Resize(nn.Module):
    def __init__(self, **options: object) -> None:
        super().__init__()
        self.options = options

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.interpolate(x, **self.options)  # type: ignore[arg-type]


def test_two_products_take_the_place_of_a_resize() -> None:
    text = "upsample"
    after = check_rewrite(
        RULE, Resize(size=(9, 5), mode="bicubic"), torch.randn(2, 3, 6, 8), fires=1
    )
    names = [str(node.target) for node in after.calls()]
    assert names == ["aten.matmul.default"] * 2, names
    assert not any(text in name for name in names)
    assert sorted(tuple(t.shape) for t in after.constants.values()) == [(8, 5), (9, 6)]


def test_given_scales_count_and_not_the_sizes_they_lead_to() -> None:
    # 7 * 1.3 is 9 pixels, and a step of 1 / 1.3 is not 7 / 9.
    net = Resize(scale_factor=1.3, mode="bicubic", recompute_scale_factor=False)
    check_rewrite(RULE, net, torch.randn(1, 2, 7, 7), fires=1)


def test_antialiased_bilinear() -> None:
    net = Resize(size=(3, 4), mode="bilinear", antialias=True)
    check_rewrite(RULE, net, torch.randn(1, 2, 11, 9), fires=1)


def test_leaves_what_core_ml_has() -> None:
    check_rewrite(RULE, Resize(size=(9, 9), mode="bilinear"), torch.randn(1, 2, 6, 6), fires=0)
    check_rewrite(RULE, Resize(size=(9, 9), mode="nearest"), torch.randn(1, 2, 6, 6), fires=0)


def test_refuses_integer_pixels() -> None:
    pixels = torch.randint(0, 256, (1, 3, 6, 6), dtype=torch.uint8)
    net = Resize(size=(9, 9), mode="bicubic")
    check_rewrite(RULE, net, pixels, refuses="rounded after each axis")


def test_refuses_huge_matrices() -> None:
    net = Resize(size=(8193, 1), mode="bicubic")
    check_rewrite(RULE, net, torch.zeros(1, 1, 2048, 1), refuses="16,779,265 elements")


@settings(max_examples=25, deadline=None)
@given(
    # One pixel wide, torch 2.13 antialiases along the wrong axis.
    extents=st.tuples(*[st.integers(2, 12)] * 4),
    corners=st.booleans(),
    antialias=st.booleans(),
    mode=st.sampled_from(["bicubic", "bilinear"]),
)
def test_any_sizes(
    extents: tuple[int, int, int, int], corners: bool, antialias: bool, mode: str
) -> None:
    height, width, out_height, out_width = extents
    net = Resize(
        size=(out_height, out_width), mode=mode, align_corners=corners, antialias=antialias
    )
    x = torch.randn(1, 2, height, width)
    check_rewrite(RULE, net, x, fires=int(mode == "bicubic" or antialias))
