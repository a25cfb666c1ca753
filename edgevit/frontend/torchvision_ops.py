"""Import of torchvision where its compiled operators do not load.

The torchvision wheel on PyPI is linked to CUDA. Beside a CPU torch its library stays unloaded, and
`import torchvision` dies with `operator torchvision::nms does not exist`, because it attaches a
fake kernel to an undefined schema. Defining the two schemas is all the import needs: no model we
resolve calls them. Any import of torchvision is covered (by timm, transformers, a user's file);
otherwise it is not imported, and where it imports by itself nothing is touched.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import torch

_NAME = "torchvision"
_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_library: torch.library.Library | None = None  # the schemas live as long as this does


def make_torchvision_importable() -> None:
    """Enable the import from here on, in this process."""
    if _NAME not in sys.modules and not any(isinstance(f, _Finder) for f in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != _NAME:
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        specs = (finder.find_spec(fullname, path, target) for finder in others)
        spec = next(filter(None, specs), None)
        if spec is not None and spec.loader is not None:
            spec.loader = _Retrying(spec.loader)
        return spec


class _Retrying(Loader):
    """Loader that runs the package, and runs it once more with the schemas if they are missing."""

    def __init__(self, own: Any) -> None:
        self._own = own

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._own.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        try:
            self._own.exec_module(module)
        except RuntimeError as error:
            if f"{_NAME}::" not in str(error):
                raise
            for name in [name for name in sys.modules if name.startswith(f"{_NAME}.")]:
                del sys.modules[name]
            _define_schemas()
            self._own.exec_module(module)


def _define_schemas() -> None:
    global _library
    _library = torch.library.Library(_NAME, "FRAGMENT")
    for schema in _SCHEMAS:
        if not hasattr(torch.ops.torchvision, schema.partition("(")[0]):
            _library.define(schema)
