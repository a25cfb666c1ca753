"""Several packages as functions of one, which iOS 18 and later can choose from."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from edgevit.backends.coreml.backend import open_function
from edgevit.backends.coreml.tool import coremltools, quiet
from edgevit.backends.functions import Functions, Part
from edgevit.targets import Target

_SINCE = 18  # iOS
_SWIFT = """// Opens @FILE@ at one of the sizes of its input. Written by edgevit; not compiled by edgevit.
// Drag @FILE@ into the Xcode project: it is in the app as @STEM@.mlmodelc.
import CoreML

@available(iOS 18, macOS 15, *)
public enum InputSize: String, CaseIterable {
    case @FUNCTIONS@

    public func model(bundle: Bundle = .main, units: MLComputeUnits = .all) throws -> MLModel {
        let configuration = MLModelConfiguration()
        configuration.computeUnits = units
        configuration.functionName = rawValue
        guard let url = bundle.url(forResource: "@STEM@", withExtension: "mlmodelc") else {
            throw CocoaError(.fileNoSuchFile)
        }
        return try MLModel(contentsOf: url, configuration: configuration)
    }
}
"""


def join(parts: Mapping[str, Part], path: Path) -> None:
    join_files({name: part.artifact for name, part in parts.items()}, path)


def join_files(files: Mapping[str, Path], path: Path) -> None:
    coremltools()
    utils = import_module("coremltools.models.utils")
    functions = utils.MultiFunctionDescriptor()
    with tempfile.TemporaryDirectory() as folder, quiet():
        for name, file in files.items():
            # a copy: coremltools writes the manifests of what it joins anew
            copy = shutil.copytree(file, Path(folder) / name / file.name)
            functions.add_function(str(copy), "main", name)
        functions.default_function_name = next(iter(files))
        utils.save_multifunction(functions, str(path))


def runs_on(target: Target) -> bool:
    return target.os is not None and target.os.version >= (_SINCE,)


FUNCTIONS = Functions(
    join,
    open_function,
    runs_on,
    join_files,
    since=f"iOS {_SINCE}",
    call=("InputSize.swift", _SWIFT),
)
