"""`ultralytics:NAME`, `ultralytics:FILE.yaml`, `ultralytics:FILE.pt`: the YOLO family and RT-DETR.

A net is built from a description (the package's own, or a file, which is read as data), or is what a checkpoint holds.
A checkpoint is a pickle of the module: it is run only with `--trust`. The net gives what its authors export: decoded
boxes and scores of all anchors. `?end2end` chooses the second head of those that have one, which needs no suppression.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from edgevit.errors import ModelError, WeightsError, suggest
from edgevit.frontend.images import random_images
from edgevit.frontend.request import Request, Scheme, file_safe
from edgevit.frontend.source import ModelSource, Preprocess
from edgevit.frontend.state_dict_file import read_file
from edgevit.frontend.trial import first_line
from edgevit.frontend.ultralytics_library import downloaded, imported, tasks
from edgevit.frontend.ultralytics_yaml import read_description

_PREFIX = "ultralytics:"
_END2END = "end2end"
# The class that builds a net, by its last layer; others are its subclasses' or have no export of their own.
_CLASSES = {
    "Detect": "DetectionModel",
    "v10Detect": "DetectionModel",
    "RTDETRDecoder": "RTDETRDetectionModel",
    "WorldDetect": "WorldModel",
    "YOLOEDetect": "YOLOEModel",
    "YOLOESegment": "YOLOESegModel",
    "YOLOESegment26": "YOLOESegModel",
    "Segment": "SegmentationModel",
    "Segment26": "SegmentationModel",
    "Pose": "PoseModel",
    "Pose26": "PoseModel",
    "OBB": "OBBModel",
    "OBB26": "OBBModel",
    "Classify": "ClassificationModel",
    "SemanticSegment": "SemanticSegmentationModel",
    "Depth": "DepthModel",
}
_SIZES = {"Classify": 224, "OBB": 1024, "OBB26": 1024}
_OF_COCO = ("Detect", "v10Detect", "RTDETRDecoder", "Segment", "Segment26")
_YAML = (".yaml", ".yml")
_PIXELS = 640
_GREY = 114  # of the border that the authors' own reader puts round a picture
_SCALED = re.compile(r"(?P<start>yolo(?:e-)?v?\d+)(?P<scale>[nslmxtbce])(?P<rest>.*)")


def takes(spec: str) -> bool:
    return spec.startswith(_PREFIX)


def build(request: Request) -> ModelSource:
    name, question, option = request.spec.removeprefix(_PREFIX).partition("?")
    if question and option != _END2END:
        raise _no_option(name, option)
    pretrained = request.weights == "pretrained"
    library = imported(offline=not pretrained or request.if_at_hand)
    path = Path(name)
    if path.suffix == ".pt":
        module, weights = _checkpoint(name, request.trust), name
    elif pretrained:
        module, weights = _released(library, path, request), "pretrained"
    else:
        module, weights = _described(library, name), ""
    return _source(request, library, module, weights, bool(question))


def _source(
    request: Request, library: Any, module: Any, weights: str, end2end: bool
) -> ModelSource:
    name = request.spec.removeprefix(_PREFIX)
    head = module.model[-1]
    kind = type(head).__name__
    _set_mode(module, head, end2end, request.spec)
    side = _SIZES.get(kind, _PIXELS)
    size = request.input_size or (side, side)
    channels = int(module.yaml.get("channels", 3))
    return ModelSource(
        spec=request.spec,
        name=file_safe(Path(name.partition("?")[0]).stem) + (f"-{_END2END}" if end2end else ""),
        module=module,
        inputs=(random_images((request.batch, channels, *size), request.seed),),
        input_names=("image",),
        origin=f"ultralytics {library.__version__}",
        weights=weights,
        preprocess=_preprocess(size, channels, crops=kind == "Classify"),
        labels=_labels(module),
        native_size=(side, side),
    )


def _no_option(name: str, option: str) -> ModelError:
    return ModelError(
        f"`?{option}` is no option of an ultralytics model",
        where=f"{_PREFIX}{name}?{option}",
        why=f"it is taken as it is, or with its head that needs no suppression by ?{_END2END}",
        hint=f"{_PREFIX}{name}?{_END2END}",
    )


def _described(library: Any, name: str) -> nn.Module:
    """Build a net from a description: a file of the user's, or one of the package's by its name."""
    file, scale = _description_file(library, name)
    description = read_description(file)
    description["scale"] = scale
    description["yaml_file"] = file.name
    kind = str(description["head"][-1][2])
    where = f"{_PREFIX}{name}"
    if kind not in _CLASSES:
        raise ModelError(
            f"a net that ends in `{kind}` is not built",
            where=where,
            why=f"known are those that end in {', '.join(_CLASSES)}",
            hint="build it in a file of yours, and give FILE.py:CALLABLE",
        )
    try:
        module = getattr(tasks(), _CLASSES[kind])(description, verbose=False)
    except Exception as error:
        raise ModelError(
            f"ultralytics {library.__version__} cannot build `{name}`",
            where=where,
            why=first_line(error),
            hint="--debug shows the traceback",
        ) from error
    if kind in _OF_COCO and (stated := _stated_names(library, description, file)):
        module.names = stated
    return module.eval()


def _description_file(library: Any, name: str) -> tuple[Path, str]:
    """Return the file that describes a net, and the letter of its size (empty: the first that it has)."""
    path = Path(name)
    is_file = path.suffix in _YAML
    stem = path.stem if is_file else name
    scaled = _SCALED.fullmatch(stem)
    unscaled = f"{scaled['start']}{scaled['rest']}" if scaled else stem
    scale = scaled["scale"] if scaled else ""
    if is_file and path.is_file():
        return path, scale
    own = {p.stem: p for p in (Path(library.__file__).parent / "cfg/models").rglob("*.yaml")}
    for candidate, letter in ((stem, scale), (unscaled, scale)):
        if candidate in own and path.name == name:
            return own[candidate], letter
    raise ModelError(
        f"ultralytics {library.__version__} describes no model `{name}`",
        where=f"{_PREFIX}{name}",
        why="it is neither a file here nor a description in the package",
        hint=suggest(unscaled, own) or f"{_PREFIX}yolo11n",
    )


def _stated_names(library: Any, description: Mapping[str, Any], file: Path) -> dict[int, str]:
    """Return the names of the classes that the package's own nets of 80 are released for."""
    root = Path(library.__file__).parent
    if description.get("nc") != 80 or root not in file.parents:
        return {}
    import yaml

    names = yaml.safe_load((root / "cfg/datasets/coco.yaml").read_text("utf-8")).get("names", {})
    return dict(names) if len(names) == 80 else {}


def _checkpoint(name: str, trust: bool) -> nn.Module:
    """Return the module that a checkpoint holds; reading it runs code, so it needs trust."""
    content = read_file(name, trust)
    module = None
    if isinstance(content, Mapping):
        module = content.get("ema")
        module = content.get("model") if module is None else module
    layers = getattr(module, "model", None)
    if not isinstance(module, nn.Module) or not isinstance(layers, nn.Sequential):
        raise WeightsError(
            f"`{name}` holds no ultralytics model",
            where=name,
            why="its `model` is not a net with a list of layers",
            hint=f"{_PREFIX}NAME --weights {name}, if it holds the weights alone",
        )
    return module.float().eval()


def _released(library: Any, path: Path, request: Request) -> nn.Module:
    """Return a released net: of the cache, or downloaded where that was asked for."""
    file, _ = _description_file(library, str(path))
    name = path.stem if path.suffix in _YAML else path.name
    if file == path:
        raise WeightsError(
            f"nobody released weights for `{path}`",
            where=request.spec,
            why="it is a description of yours",
            hint="--weights FILE, or random",
        )
    if not request.trust:
        raise WeightsError(
            f"the weights that ultralytics released for `{name}` are a pickle, and are not executed",
            where=request.spec,
            why="a checkpoint is the module itself, and --weights pretrained --trust runs it",
            hint="--weights pretrained --trust; --weights FILE takes a state dict; random",
        )
    return _checkpoint(str(downloaded(name, request.if_at_hand)), trust=True)


def _set_mode(module: Any, head: Any, end2end: bool, spec: str) -> None:
    """Make the net give what is exported: predictions alone, without what training reads."""
    if end2end and getattr(head, "one2one_cv2", None) is None:
        raise ModelError(
            "the net has no head that needs no suppression",
            where=spec,
            why=f"`{type(head).__name__}` has one head",
            hint=spec.partition("?")[0],
        )
    if hasattr(module, _END2END):
        module.end2end = end2end
    for layer in module.modules():
        if hasattr(layer, "export"):
            layer.export = True


def _preprocess(size: tuple[int, int], channels: int, crops: bool) -> Preprocess:
    zero, one = (0.0,) * channels, (1.0,) * channels
    if crops:
        return Preprocess(zero, one, size, interpolation="bilinear")
    return Preprocess(zero, one, size, interpolation="bilinear", border=_GREY)


def _labels(module: Any) -> tuple[str, ...]:
    """Return the names of the classes; numbers in their place are no names."""
    names = getattr(module, "names", None) or {}
    values = tuple(map(str, names.values() if isinstance(names, Mapping) else names))
    return () if all(value.removeprefix("class").isdigit() for value in values) else values


SCHEME = Scheme(
    "ultralytics:NAME, ultralytics:FILE.yaml or ultralytics:FILE.pt",
    takes,
    build,
    "random",
    prefers_pretrained=True,
)
