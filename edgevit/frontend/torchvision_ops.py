"""Lets timm and transformers import beside a torchvision whose compiled operators do not load.

The torchvision wheel on PyPI is linked to CUDA. Beside a CPU torch its library stays unloaded, and
`import torchvision` dies with `operator torchvision::nms does not exist`, because it attaches a
fake kernel to a schema nobody defined. Defining the two schemas is all the import needs: no model
we resolve calls them. Where torchvision imports by itself nothing is touched.
"""

from __future__ import annotations

import importlib

import torch

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_library: torch.library.Library | None = None  # the schemas live as long as this does


def make_torchvision_importable() -> None:
    """Define the schemas torchvision misses, only if it cannot be imported without them."""
    try:
        importlib.import_module("torchvision")
    except ImportError:
        return
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        _define_schemas()
        importlib.import_module("torchvision")


def _define_schemas() -> None:
    global _library
    _library = torch.library.Library("torchvision", "FRAGMENT")
    for schema in _SCHEMAS:
        if not hasattr(torch.ops.torchvision, schema.partition("(")[0]):
            _library.define(schema)
