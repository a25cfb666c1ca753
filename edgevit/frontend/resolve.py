"""Resolver of a model spec, or of a live model, to a module that runs: `resolve("timm:shvit_s1")`.

One table says which resolver takes which spec. A resolver builds the module, its example input and
what is known about preprocessing; weights, eval mode and the trial run are the same for all.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

import torch

from edgevit.errors import ModelError, UsageError, WeightsError
from edgevit.frontend import pt2_file, python_callable
from edgevit.frontend.input_text import read_input_text
from edgevit.frontend.kept_buffers import WithBuffers, find_kept, with_kept
from edgevit.frontend.live.inputs import Structured, read_inputs
from edgevit.frontend.live.source import LIVE, live_scheme, live_spec
from edgevit.frontend.live_weights import make_live
from edgevit.frontend.module_source import fitted
from edgevit.frontend.ready import fixed_mode, ready
from edgevit.frontend.repeats import require_repeatable, twin_of
from edgevit.frontend.replacements import put_in, verified
from edgevit.frontend.request import Request, Scheme
from edgevit.frontend.scripts import without_scripts
from edgevit.frontend.source import ModelSource, Preprocess
from edgevit.frontend.state_dict_file import load_into, require_file
from edgevit.frontend.torchvision_ops import make_torchvision_importable
from edgevit.frontend.trial import check_finite_outputs, run_once
from edgevit.frontend.weight_values import check_finite_weights
from edgevit.plugins import Registry


def _own() -> dict[str, str]:
    return {
        name: f"edgevit.frontend.{name}_models:SCHEME"
        for name in ("timm", "torchvision", "hf", "zoo", "ultralytics")
    }


FRONTENDS: Registry[Scheme] = Registry("edgevit.frontends", _own)  # by the word before the colon
_WAYS_OUT = "--weights FILE takes yours; --weights pretrained insists; --weights random is silent"
_WEIGHTS = ("as built", "pretrained", "random")
FILES = (pt2_file.SCHEME, python_callable.SCHEME)


def resolve(
    model: object,
    example_inputs: object = None,
    *,
    weights: str | None = None,
    input_size: int | tuple[int, int] | None = None,
    batch: int = 1,
    seed: int = 0,
    trust: bool = False,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    labels: Sequence[str] | None = None,
    inputs: str | None = None,
    replace: str | None = None,
    kept_buffers: Sequence[str] = (),
) -> ModelSource:
    """Return the model in eval mode, with weights, after a trial run on its example inputs.

    `model`: a spec, or a live model, which is copied. `example_inputs` take precedence over those
    that the model states; `inputs` is the same as text. `replace` names forwards in others' place.
    `kept_buffers` are looked up, and become inputs and outputs by `with_kept`.
    """
    if inputs is not None:
        _require_one_way(example_inputs, batch)
        example_inputs = read_input_text(inputs, seed)
    spec, scheme = _named(model, example_inputs)
    request = Request(
        spec=spec,
        weights=scheme.default_weights if weights is None else weights,
        input_size=(input_size, input_size) if isinstance(input_size, int) else input_size,
        batch=batch,
        seed=seed,
        trust=trust,
        mean=None if mean is None else tuple(mean),
        std=None if std is None else tuple(std),
        labels=None if labels is None else tuple(labels),
        example=example_inputs,
    )
    if request.weights not in (None, *_WEIGHTS):
        require_file(request.weights)
    make_torchvision_importable()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        request, built = _built(scheme, request, weights is None)
        built = _with_inputs(built, example_inputs, request)
        replaced = put_in(built, replace, trust) if replace else ()
        source = ready(built, _run)
        if kept_buffers:
            source = _with_kept_found(source, kept_buffers)
        twin = None if source.exported else twin_of(source.module)
        outputs = _run(source)
        source, is_changed = _with_weights(source, request)
        if twin is not None:
            _drop_cached(twin)
        source = without_scripts(source)
    source = verified(source, replaced) if replaced else source
    check_finite_weights(source.module, source.weights)
    outputs = _run(source) if is_changed or replaced else outputs
    check_finite_outputs(source.module, source.inputs, outputs)
    _require_repeatable(source, twin, outputs)
    return _with_overrides(source, request, outputs)


def _with_kept_found(source: ModelSource, names: Sequence[str]) -> ModelSource:
    if source.exported is not None:
        raise UsageError(
            "the buffers of an exported program are constants",
            where="--state",
            why="torch.export has fixed what its forward keeps",
            hint="export the module that it came from",
        )
    buffers = find_kept(source.module, names, lambda: _run(source), "--state")
    return replace(source, kept=buffers)


def _require_repeatable(
    source: ModelSource, twin: torch.nn.Module | None, outputs: tuple[torch.Tensor, ...]
) -> None:
    """Refuse state and randomness, but for the buffers that become inputs."""
    if (buffers := source.kept) is not None:
        source, twin = with_kept(source), None if twin is None else WithBuffers(twin, buffers)
        outputs = _run(source)
    require_repeatable(source.module, twin, source.inputs, outputs)


def _built(scheme: Scheme, request: Request, free: bool) -> tuple[Request, ModelSource]:
    """Build the model. `free`: the user chose no weights, so pretrained ones are taken if at hand."""
    if not (free and scheme.prefers_pretrained):
        return request, scheme.build(request)
    best = replace(request, weights="pretrained", if_at_hand=True)
    try:
        return best, replace(scheme.build(best), chosen_weights="pretrained")
    except WeightsError as error:
        reason = f"{error.message}, {error.why}" if error.why else error.message
    torch.manual_seed(request.seed)  # as if nothing had been tried
    note = f"weights are RANDOM: {reason}. {_WAYS_OUT}"
    source = scheme.build(request)
    return request, replace(source, chosen_weights="random", notes=(note, *source.notes))


def _named(model: object, example_inputs: object) -> tuple[str, Scheme]:
    """Return the spec of a model, and the scheme that builds it."""
    if isinstance(model, str | os.PathLike):
        spec = os.fspath(model)
        return spec, _scheme_of(spec)
    return live_spec(model), live_scheme(model, example_inputs)


def _require_one_way(example_inputs: object, batch: int) -> None:
    if example_inputs is not None:
        raise UsageError(
            "the example inputs are there twice",
            where="--inputs",
            why="tensors and a text both say what the model takes",
            hint="leave one of them out",
        )
    if batch != 1:
        raise UsageError(
            f"--batch {batch} is not taken beside --inputs",
            where="--batch",
            why="the shapes of the inputs state their batch",
            hint=f"--inputs image={batch}x3x224x224",
        )


def _with_inputs(source: ModelSource, example: object, request: Request) -> ModelSource:
    """Replace the inputs of a model that a spec names; a live model has taken them."""
    if example is None or source.live:
        return source
    own = source.module
    own = own.model if isinstance(own, Structured) else own  # of the inputs that it stated
    read = read_inputs(example, own.forward, source.spec, source.input_names)
    module = own if read.by_position else Structured(own, read.structure)
    inputs = fitted(read.tensors, request)
    preprocess = source.preprocess
    if preprocess is not None and inputs[0].dim() == 4:
        height, width = inputs[0].shape[2:]
        preprocess = replace(preprocess, size=(height, width))
    return replace(
        source,
        module=module,
        inputs=inputs,
        input_names=read.names,
        preprocess=preprocess,
        structure=read.structure,
    )


def _scheme_of(spec: str) -> Scheme:
    word, colon, _ = spec.partition(":")
    if word == LIVE:
        raise not_here(spec)
    if colon and word in FRONTENDS:
        return FRONTENDS[word]
    for scheme in FILES:
        if scheme.takes(spec):
            return scheme
    forms = [*(FRONTENDS[name].form for name in FRONTENDS), *(scheme.form for scheme in FILES)]
    raise ModelError(
        f"cannot tell what kind of model `{spec}` is",
        where=spec,
        why="a model is given as " + "; ".join(forms),
        hint=_spelling_hint(spec),
    )


def not_here(spec: str) -> ModelError:
    return ModelError(
        f"`{spec}` was given in Python, and is not at hand",
        where=spec,
        why="an object, as a model or as its inputs, is a caller's: no spec leads to it",
        hint="edgevit.export(model, (x,), target=...) in Python, or a spec: net.py:build",
    )


def _spelling_hint(spec: str) -> str:
    if spec.endswith((".pt", ".pth", ".bin", ".ckpt", ".safetensors")):
        return (
            f"a weights file needs the model's code: MODEL --weights {spec}; "
            "or in Python, edgevit.export(model, x, target=...)"
        )
    if spec.startswith(("http://", "https://")):
        parts = spec.partition("://")[2].split("/")[1:3]
        return f"hf:{'/'.join(parts)}" if len(parts) == 2 else "hf:ORG/NAME, or a file here"
    if spec.endswith(".py"):
        return f"name what to call in it: {spec}:build"
    if spec.endswith((".onnx", ".tflite", ".mlpackage", ".pte")):
        return (
            "start from the PyTorch model that it was converted from: "
            "net.py:build, timm:NAME, hf:NAME, or a .pt2 of torch.export"
        )
    if "/" in spec:
        return f"hf:{spec}"
    return f"timm:{spec}, or net.py:build for a model of yours"


def _run(source: ModelSource) -> tuple[torch.Tensor, ...]:
    return run_once(source.module, source.inputs, _size_hint(source))


def _with_weights(source: ModelSource, request: Request) -> tuple[ModelSource, bool]:
    """Put the weights in, and say whether they are others than the module was built with."""
    match request.weights:
        case None | "as built" | "pretrained":
            return replace(source, weights=source.weights or str(request.weights)), False
        case "random":
            make_live(source.module, source.inputs, request.seed)
            weights = f"random (seed {request.seed})"
        case path if path == source.weights:  # the resolver has put them in
            return source, False
        case path:
            load_into(source.module, path, request.trust)
            weights = path
    _drop_cached(source.module)
    return replace(source, weights=weights), True


def _drop_cached(module: torch.nn.Module) -> None:
    """Leave eval mode for a moment: some modules keep values in it that they compute from weights."""
    with fixed_mode():
        module.train().eval()


def _size_hint(source: ModelSource) -> str:
    if source.live:
        return "example inputs that it takes: edgevit.export(model, (x,), target=...)"
    if source.preprocess is None:
        return (
            "--input-size N, or return (module, example_inputs) from the callable"
            if source.exported is None
            else ""
        )
    height, width = source.native_size or source.preprocess.size
    return f"--input-size {height}" if height == width else f"--input-size {height}x{width}"


def _with_overrides(
    source: ModelSource, request: Request, outputs: tuple[torch.Tensor, ...]
) -> ModelSource:
    preprocess = source.preprocess
    if request.mean is not None or request.std is not None:
        preprocess = _override_preprocess(source, request)
    _require_applicable(preprocess, source)
    labels = source.labels if request.labels is None else request.labels
    classes = outputs[0].shape[-1] if outputs[0].dim() == 2 else None
    if labels and classes is not None and len(labels) != classes:
        if request.labels is not None:
            raise UsageError(
                f"{len(labels)} labels for a model with {classes} outputs",
                where="--labels",
                why="a label is found by the number of its output",
                hint="one label for each output, in order",
            )
        labels = ()
    return replace(source, preprocess=preprocess, labels=labels)


def _require_applicable(preprocess: Preprocess | None, source: ModelSource) -> None:
    image = source.inputs[0]
    if preprocess is None or image.dim() != 4:
        return
    if why := preprocess.why_not(image.shape[1]):
        raise ModelError(
            "pictures cannot be made the model's input by what it states",
            where=f"{source.spec}: mean, std, crop_pct",
            why=why,
            hint="--mean and --std, or correct the model's config",
        )


def _override_preprocess(source: ModelSource, request: Request) -> Preprocess:
    image = source.inputs[0]
    if image.dim() != 4:
        raise UsageError(
            "--mean and --std are for image input",
            where="--mean, --std",
            why=f"the model's first input has shape {tuple(image.shape)}",
            hint="leave them out",
        )
    channels, height, width = image.shape[1:]
    preprocess = source.preprocess or Preprocess(
        (0.0,) * channels, (1.0,) * channels, (height, width)
    )
    mean = _per_channel(request.mean, preprocess.mean, channels, "--mean")
    std = _per_channel(request.std, preprocess.std, channels, "--std")
    return replace(preprocess, mean=mean, std=std)


def _per_channel(
    values: tuple[float, ...] | None, default: tuple[float, ...], channels: int, option: str
) -> tuple[float, ...]:
    if values is None:
        return default
    if len(values) == 1:
        return values * channels
    if len(values) != channels:
        raise UsageError(
            f"{option} has {len(values)} values for an image of {channels} channels",
            where=option,
            why="each channel has its own",
            hint=f"give {channels}, or one for all",
        )
    return values
