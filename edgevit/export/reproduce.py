"""Command line, or Python, that repeats an export: in `edgevit.json` and in the report."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from importlib import import_module
from typing import Any, cast

from torch.utils import _pytree as pytree

from edgevit.exported import GOLDEN
from edgevit.frontend import ModelArguments, ModelSource
from edgevit.quantize import CALIBRATION, GENERATED, CalibrationBatches, CalibrationOptions
from edgevit.support.backend_options import BackendOptions, options_info
from edgevit.support.choice import Settings
from edgevit.targets import Target

_IMPORTS = ("import edgevit", "import safetensors.torch", "")
_EITHER_WAY = {"image_input"}  # flags with a `--no-` form
_OF_FORMATS = {"kept_buffers"}  # words of a format's own options say them
_UNSAID = {"batch": 1, "seed": 0}  # non-empty defaults of the command line


@dataclass(frozen=True)
class Repeated:
    """An export that is to be repeated. `options` are the model's that are not at their default."""

    model: ModelArguments
    target: Target
    format: str
    precision: str
    options: Mapping[str, Any]
    lossy: Sequence[object] = ()
    without: Sequence[str] = ()
    chosen: Settings = field(default_factory=dict[str, str])
    backend_options: BackendOptions | None = None
    calibration: CalibrationOptions = GENERATED

    @property
    def target_name(self) -> str:
        return self.target.name if self.target.family else str(self.target.file)


def export_command(export: Repeated) -> str:
    """Return the command that repeats an export.

    The name of the labels file is not stored, so a placeholder stands for it.
    """
    words = ["edgevit", "export", export.model.spec, "--target", export.target_name]
    words += ["--format", export.format, "--precision", export.precision]
    for name, value in _own(export).items():
        if value is False and name in _EITHER_WAY:
            words.append(f"--no-{name.replace('_', '-')}")
        elif value and _UNSAID.get(name) != value:
            words += _option(name, "LABELS.txt" if name == "labels" else value)
    for name in export.without:
        words += ["--without", name]
    if export.lossy:
        words += ["--lossy", ",".join(map(str, export.lossy))]
    choices = dict(export.chosen)
    words += CALIBRATION.to_words(export.calibration)
    if export.backend_options is not None and (info := options_info(export.format)):
        words += info.to_words(export.backend_options)
        choices |= info.to_choices(export.backend_options)
    if choices:
        words += ["--choose", ",".join(f"{name}={option}" for name, option in choices.items())]
    return shlex.join(words)


def _own(export: Repeated) -> dict[str, Any]:
    return {name: value for name, value in export.options.items() if name not in _OF_FORMATS}


def export_snippet(export: Repeated, source: ModelSource) -> str:
    """Return the Python that repeats an export of a caller's objects.

    The model itself is for the reader to put in. Its example inputs are in the exported folder.
    """
    model = export.model
    if isinstance(model.model, str):
        lines = [*_IMPORTS, f"model = {model.model!r}"]
    else:
        lines = [*_IMPORTS, f"model = ...  # {' '.join(f'{source.name}, {source.origin}'.split())}"]
    arguments = ["model"]
    if model.example_inputs is not None:
        lines.append(_golden(export, source))
        arguments.append(_inputs_text(source))
    calibration: object = export.calibration
    if isinstance(calibration, CalibrationBatches):
        lines.append("batches = ...  # the calibration inputs")
        calibration = Name("batches")
    words: dict[str, Any] = {
        "target": export.target_name,
        "format": export.format,
        "precision": export.precision,
        **({"lossy": tuple(map(str, export.lossy))} if export.lossy else {}),
        **({"without": tuple(export.without)} if export.without else {}),
        **({"chosen": dict(export.chosen)} if export.chosen else {}),
        **({"backend_options": export.backend_options} if export.backend_options else {}),
        **({"calibration": calibration} if calibration != GENERATED else {}),
        **_own(export),
    }
    arguments += [f"{name}={_python(value)}" for name, value in words.items()]
    kinds = [type(value) for value in words.values() if is_dataclass(value)]
    return "\n".join(
        [*map(_import_of, kinds), *lines, "edgevit.export(", *(f"    {a}," for a in arguments), ")"]
    )


def _golden(export: Repeated, source: ModelSource) -> str:
    if source.takes_pixels or export.options.get("channels_last"):
        shapes = ", ".join("x".join(map(str, x.shape)) for x in source.inputs)
        return f"x = ...  # the inputs; the artifact takes {shapes}"
    return f'x = safetensors.torch.load_file("{GOLDEN}")  # of this folder'


def _inputs_text(source: ModelSource) -> str:
    names = [Name(f'x["input.{k}"]') for k in range(len(source.inputs))]
    positional, keywords = pytree.tree_unflatten(names, source.structure)
    return repr(keywords if keywords else tuple(positional))


class Name(str):
    """Python text, which its own `repr` is."""

    def __repr__(self) -> str:
        return str(self)


def _python(value: Any) -> str:
    """Return a value as Python. An options type is written with the fields that differ."""
    if not is_dataclass(value) or isinstance(value, type):
        return repr(value)
    changed = [
        f"{f.name}={getattr(value, f.name)!r}"
        for f in fields(value)
        if getattr(value, f.name) != f.default
    ]
    return f"{type(value).__name__}({', '.join(changed)})"


def _import_of(kind: type) -> str:
    """Return the line that imports a type: from the package whose face it is on, else its module."""
    package = kind.__module__.rpartition(".")[0]
    on_face = package and getattr(import_module(package), kind.__name__, None) is kind
    return f"from {package if on_face else kind.__module__} import {kind.__name__}"


def _option(name: str, value: Any) -> list[str]:
    flag = "--" + name.replace("_", "-")
    if value is True:
        return [flag]
    if isinstance(value, Sequence) and not isinstance(value, str):
        sign = "x" if name == "input_size" else ","
        return [
            f"{flag}={sign.join(map(str, cast(Sequence[object], value)))}"
        ]  # `=`: a mean may begin with a minus
    return [flag, str(value)]
