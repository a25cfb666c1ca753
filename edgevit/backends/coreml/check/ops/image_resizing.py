"""Resizing and resampling, from the grid each sampling mode defines, not from torch's interpolate."""

from __future__ import annotations

from math import floor

import torch
import torch.nn.functional as F
from torch import Tensor

from edgevit.backends.coreml.check.ops.arguments import Arguments, NotInterpretedError, OpFunction


def sample_points(size: int, out: int, mode: str) -> Tensor:
    """Return the input position, in pixels, that each output pixel samples (fp64, clamped)."""
    i = torch.arange(out, dtype=torch.float64)
    if mode == "ALIGN_CORNERS" and out == 1:
        points = i + (size - 1) / 2
    elif mode in ("STRICT_ALIGN_CORNERS", "ALIGN_CORNERS"):
        points = i * ((size - 1) / max(out - 1, 1))
    elif mode == "DEFAULT":
        points = i * (size / out)
    elif mode == "OFFSET_CORNERS":
        points = (i + 0.5) * (max(1, size - 1) / out)
    elif mode == "UNALIGN_CORNERS":
        points = (i + 0.5) * (size / out) - 0.5
    else:
        raise NotInterpretedError(f"sampling_mode {mode!r}")
    return points.clamp(0, size - 1)


def lerp_axis(x: Tensor, axis: int, out: int, mode: str) -> Tensor:
    size = x.shape[axis]
    points = sample_points(size, out, mode)
    low = points.floor().long()
    high = (low + 1).clamp(max=size - 1)
    weight = (
        (points - low).float().reshape([-1 if i == axis % x.dim() else 1 for i in range(x.dim())])
    )
    return torch.lerp(x.index_select(axis, low), x.index_select(axis, high), weight)


def bilinear(x: Tensor, height: int, width: int, mode: str) -> Tensor:
    x = lerp_axis(x, -2, height, mode) if height != x.shape[-2] or mode == "OFFSET_CORNERS" else x
    return lerp_axis(x, -1, width, mode) if width != x.shape[-1] or mode == "OFFSET_CORNERS" else x


def nearest(x: Tensor, height: int, width: int, centre: float) -> Tensor:
    for axis, out in ((-2, height), (-1, width)):
        size = x.shape[axis]
        if out != size:
            places = (
                ((torch.arange(out, dtype=torch.float64) + centre) * (size / out)).floor().long()
            )
            x = x.index_select(axis, places.clamp(0, size - 1))
    return x


def scaled_size(a: Arguments) -> tuple[int, int]:
    """Return the scaled size, computed in fp32 as the converter infers it: 3 * 2.3333333 is 7."""
    x, one = a.tensor("x"), torch.ones(())
    scales = [a.maybe(name) for name in ("scale_factor_height", "scale_factor_width")]
    sizes = [
        floor(float((one if s is None else s) * n))
        for s, n in zip(scales, x.shape[-2:], strict=True)
    ]
    return sizes[0], sizes[1]


def upsample_nearest_neighbor(a: Arguments) -> Tensor:
    return nearest(a.tensor("x"), *scaled_size(a), centre=0.0)


def resize_nearest_neighbor(a: Arguments) -> Tensor:
    """Resize by the nearest neighbour of pixel centres.

    `upsample_nearest_neighbor` samples elsewhere, which matters if sizes do not divide.
    """
    return nearest(
        a.tensor("x"), a.integer("target_size_height"), a.integer("target_size_width"), centre=0.5
    )


def upsample_bilinear(a: Arguments) -> Tensor:
    align = a.flag("align_corners", True)
    half_pixel = a.flag("half_pixel_centers", not align)
    if align and half_pixel:
        raise NotInterpretedError("align_corners together with half_pixel_centers")
    mode = "STRICT_ALIGN_CORNERS" if align else "UNALIGN_CORNERS" if half_pixel else "DEFAULT"
    return bilinear(a.tensor("x"), *scaled_size(a), mode)


def resize_bilinear(a: Arguments) -> Tensor:
    height, width = a.integer("target_size_height", 1), a.integer("target_size_width", 1)
    return bilinear(a.tensor("x"), height, width, a.text("sampling_mode", "DEFAULT"))


def resize(a: Arguments) -> Tensor:
    """Resize the last `resized_dims` dimensions to the sizes in `shape` (iOS 17).

    A size of 0 means unchanged.
    """
    x, count, mode = a.tensor("x"), a.integer("resized_dims"), a.text("sampling_mode", "DEFAULT")
    if count not in (1, 2):
        raise NotInterpretedError(f"resized_dims {count}")
    targets = a.ints("shape")[-count:]
    sizes = [n or old for n, old in zip(targets, x.shape[-count:], strict=True)]
    height, width = (x.shape[-2], sizes[0]) if count == 1 else (sizes[0], sizes[1])
    if a.text("interpolation_mode", "LINEAR") == "LINEAR":
        return bilinear(x, height, width, mode)
    if mode != "DEFAULT":
        raise NotInterpretedError(f"nearest neighbour with sampling_mode {mode!r}")
    return nearest(x, height, width, centre=0.5)


def crop(a: Arguments) -> Tensor:
    x, (top, bottom), (left, right) = a.tensor("x"), a.ints("crop_height"), a.ints("crop_width")
    return x[..., top : x.shape[-2] - bottom, left : x.shape[-1] - right]


def resample(a: Arguments) -> Tensor:
    x, grid = a.tensor("x"), a.tensor("coordinates").float()
    align, units = a.flag("align_corners"), a.text("coordinates_mode").lower()
    if units == "unnormalized":
        grid, align = (
            2 * grid / torch.tensor([x.shape[-1] - 1, x.shape[-2] - 1]).clamp(min=1) - 1,
            True,
        )
    elif units == "normalized_zero_to_one":
        grid = 2 * grid - 1
    mode = a.text("sampling_mode").lower()
    return F.grid_sample(x, grid, mode, torch_padding(a, align), align_corners=align)


def torch_padding(a: Arguments, align: bool) -> str:
    """Return torch's padding mode.

    torch reflects about pixel centres when aligned (MIL `reflection`), else about edges
    (`symmetric`).
    """
    mode = a.text("padding_mode").lower()
    if mode == "constant" and a.number("padding_value", 0.0) == 0.0:
        return "zeros"
    if mode == "border":
        return "border"
    if mode == ("reflection" if align else "symmetric"):
        return "reflection"
    raise NotInterpretedError(f"padding_mode {mode!r} with align_corners={align}")


def affine(a: Arguments) -> Tensor:
    x, matrix = a.tensor("x"), a.tensor("transform_matrix")
    theta = matrix.reshape(-1, 2, 3).expand(x.shape[0], 2, 3)
    size = [x.shape[0], x.shape[1], a.integer("output_height"), a.integer("output_width")]
    if a.text("coordinates_mode").lower() != "normalized_minus_one_to_one" or not a.flag(
        "align_corners"
    ):
        raise NotInterpretedError(
            "coordinates other than normalized_minus_one_to_one with aligned corners"
        )
    grid = F.affine_grid(theta, size, align_corners=True)
    return F.grid_sample(x, grid, padding_mode=torch_padding(a, True), align_corners=True)


OPS: dict[str, OpFunction] = {
    "affine": affine,
    "crop": crop,
    "resample": resample,
    "resize": resize,
    "resize_bilinear": resize_bilinear,
    "resize_nearest_neighbor": resize_nearest_neighbor,
    "upsample_bilinear": upsample_bilinear,
    "upsample_nearest_neighbor": upsample_nearest_neighbor,
}
