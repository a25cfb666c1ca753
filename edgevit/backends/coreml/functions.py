"""Several packages as functions of one, which iOS 18 and later can choose from."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from edgevit.backends.coreml.backend import open_function
from edgevit.backends.coreml.tool import coremltools, quiet
from edgevit.backends.functions import Functions, Part
from edgevit.targets import Target

_SINCE = 18  # iOS


def join(parts: Mapping[str, Part], path: Path) -> None:
    coremltools()
    utils = import_module("coremltools.models.utils")
    functions = utils.MultiFunctionDescriptor()
    for name, part in parts.items():
        functions.add_function(str(part.artifact), "main", name)
    functions.default_function_name = next(iter(parts))
    with quiet():
        utils.save_multifunction(functions, str(path))


def runs_on(target: Target) -> bool:
    return target.os is not None and target.os.version >= (_SINCE,)


FUNCTIONS = Functions(join, open_function, runs_on)
