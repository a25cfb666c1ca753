"""UniFormer (Li et al., 2022): blocks of one form, the mixer of which is local and later global."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from edgevit.frontend.zoo.layers import (  # fmt: skip
    ChannelNorm,
    Classifier,
    Residual,
    SelfAttention,
    conv,
    depthwise,
    normed,
    pyramid,
    stem,
)

_WIDTHS = (64, 128, 320, 512)
_GLOBAL = 2  # the first stage with attention


@dataclass(frozen=True)
class UniFormerSizes:
    depths: tuple[int, ...]
    head: int = 64
    overlapping: bool = False  # patches


def _block(width: int, heads: int) -> nn.Module:
    norm = ChannelNorm if heads else nn.BatchNorm2d
    local = nn.Sequential(conv(width, width), depthwise(width, 5), conv(width, width))
    mixer = SelfAttention(width, heads) if heads else local
    wide = [norm(width), conv(width, 4 * width), nn.GELU(), conv(4 * width, width)]
    return nn.Sequential(
        Residual(depthwise(width)),
        Residual(nn.Sequential(norm(width), mixer)),
        Residual(nn.Sequential(*wide)),
    )


def _shrink(stage: int, overlapping: bool) -> nn.Module:
    width, before = _WIDTHS[stage], _WIDTHS[stage - 1]
    if overlapping:
        return normed(before, width, 3, 2, bias=True) if stage else stem(width, nn.GELU, last=False)
    patches = conv(before, width, 2, 2) if stage else conv(3, width, 4, 4)
    return nn.Sequential(patches, ChannelNorm(width, 1e-5))


def uniformer(sizes: UniFormerSizes, image: int, classes: int) -> nn.Module:
    stages: list[list[nn.Module]] = []
    for i, (depth, width) in enumerate(zip(sizes.depths, _WIDTHS, strict=True)):
        heads = width // sizes.head if i >= _GLOBAL else 0
        blocks = [_block(width, heads) for _ in range(depth)]
        stages.append([_shrink(i, sizes.overlapping), *blocks])
    return pyramid(stages, nn.BatchNorm2d(_WIDTHS[-1]), Classifier(_WIDTHS[-1], classes))


UNIFORMER = {
    "s": UniFormerSizes((3, 4, 8, 3)),
    "splus": UniFormerSizes((3, 5, 9, 3), 32, True),
    "b": UniFormerSizes((5, 8, 20, 7)),
}
