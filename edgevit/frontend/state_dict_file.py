"""Loader of state dicts that fits them to a model and runs no code from the file."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from edgevit.errors import MissingToolError, WeightsError, suggest
from edgevit.frontend.trial import first_line
from edgevit.frontend.weight_kinds import require_exact, require_weights
from edgevit.support.file_limits import why_no_file, why_unfolds

_SHOWN = 5
# Where training scripts put the weights, in the order they are tried.
_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "module", "state_dict_ema")
# Prefixes that DataParallel, torch.compile or a Lightning module put before each name.
_PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "backbone.")
_PRETRAINED = "--weights pretrained"
_NAMED = ("default", "imagenet", "imagenet1k", "imagenet1k_v1", "imagenet1k_v2", "true", "yes")
_SUFFIXES = (".pt", ".pth", ".bin", ".ckpt", ".tar", ".safetensors")


def load_into(module: torch.nn.Module, path: str, trust: bool) -> None:
    """Load the weights at `path`. Every parameter must be there, with its shape, and nothing else."""
    expected = module.state_dict()
    weights = _rename(read_state_dict(path, trust), expected)
    _check_fit(weights, expected, path)
    require_exact(weights, {name: tensor.dtype for name, tensor in expected.items()}, path)
    module.load_state_dict(weights, strict=False)  # strict but for step counters, see _check_fit


def read_state_dict(path: str, trust: bool) -> dict[str, torch.Tensor]:
    """Read names and tensors from the file, without the wrapping that a training script added."""
    weights = _unwrap(read_file(path, trust), path)
    require_weights(weights, path)
    return weights


def save_weights(module: torch.nn.Module, path: Path) -> None:
    """Write a module's state dict as safetensors, which `--weights` takes."""
    from safetensors.torch import save_file

    state = {name: t.detach().clone().contiguous() for name, t in module.state_dict().items()}
    draft = path.with_suffix(".part")
    save_file(state, draft)
    draft.replace(path)


def misfit(path: str, missing: list[str], unexpected: list[str], shapes: list[str]) -> WeightsError:
    """Build the error for a state dict that does not fit the model; `shapes` are sentences, by
    name.
    """
    rows = [
        f"{len(names)} {label}: {_some(names)}"
        for label, names in (
            ("missing", missing),
            ("unexpected", unexpected),
            ("of another shape", shapes),
        )
        if names
    ]
    return WeightsError(
        f"`{path}` does not fit the model",
        where=(missing or [s.split(" ")[0] for s in shapes] or unexpected)[0],
        why="\n".join(rows),
        hint="build the model the weights were trained for (same variant, same number of classes)",
    )


def require_file(path: str) -> None:
    """Refuse a path at which there is no file."""
    file = Path(path)
    if not (why := why_no_file(file)):
        return
    beside = [str(p) for p in _weight_files(file.parent)]
    raise WeightsError(
        f"no weights file `{path}`",
        where=path,
        why=f"weights are `random`, `pretrained`, or a file: {why}",
        hint=_PRETRAINED if path.lower() in _NAMED else _instead(path, beside),
    )


def _instead(path: str, beside: Iterable[str]) -> str:
    close = suggest(path, beside) if Path(path).suffix else ""
    return (
        close or suggest(path, ("random", "pretrained")) or "--weights random, or an existing file"
    )


def read_file(path: str, trust: bool) -> Any:
    """Read whatever a weights file holds; with `trust`, by running it."""
    require_file(path)
    file = Path(path)
    if file.suffix == ".safetensors":
        return _read_safetensors(file)
    return _read_torch(file, trust)


def _weight_files(folder: Path) -> Iterable[Path]:
    return (p for p in folder.glob("*") if p.suffix in _SUFFIXES) if folder.is_dir() else ()


def _read_safetensors(file: Path) -> Any:
    try:
        from safetensors.torch import load_file
    except ImportError as error:
        raise MissingToolError(
            "safetensors is not installed",
            why=first_line(error),
            hint="pip install 'edgevit[zoo]'",
        ) from error
    try:
        return load_file(file)
    except Exception as error:
        raise _unreadable(file, first_line(error)) from error


def _read_torch(file: Path, trust: bool) -> Any:
    with file.open("rb") as data:
        start = data.read(4)
    if not start.startswith(
        (b"PK\3\4", b"\x80")
    ):  # a web page, a git-lfs pointer: trust is no help
        raise _unreadable(file, "it is neither a zip file nor a pickle")
    _refuse_programs(file)
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        if not _wants_code(error):
            raise _unreadable(file, first_line(error)) from error
        if not trust:
            raise WeightsError(
                f"`{file}` holds more than tensors, and is not executed",
                where=str(file),
                why=_refused_global(error),
                hint="save model.state_dict() alone, or --trust if you know who wrote the file",
            ) from error
    try:
        return torch.load(file, map_location="cpu", weights_only=False)
    except Exception as error:
        raise _unreadable(file, first_line(error)) from error


def _refuse_programs(file: Path) -> None:
    """Refuse TorchScript and exported programs: they are also zip files with tensors, but not state
    dicts.
    """
    if not zipfile.is_zipfile(file):
        return
    try:
        with zipfile.ZipFile(file) as archive:
            names, why = archive.namelist(), why_unfolds(archive, file.stat().st_size)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise _unreadable(file, first_line(error)) from error
    if why:
        raise _unreadable(file, why)
    if any("/code/" in name or name.endswith("/constants.pkl") for name in names):
        raise WeightsError(
            f"`{file}` is a TorchScript program, not a state dict",
            where=str(file),
            why="it holds code",
            hint="save model.state_dict() from the Python model",
        )
    if any(name.endswith("archive_format") for name in names):
        raise WeightsError(
            f"`{file}` is an exported program, not a state dict",
            where=str(file),
            why="it holds a graph",
            hint="give it as the model itself, with the ending .pt2",
        )


def _wants_code(error: Exception) -> bool:
    text = str(error)
    return "Weights only load failed" in text or "Unsupported" in text or "weights_only" in text


def _refused_global(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines()]
    named = [x for x in lines if "GLOBAL" in x or "Unsupported" in x]
    return named[0].partition(". Please")[0] if named else first_line(error)


def _unreadable(file: Path, why: str) -> WeightsError:
    return WeightsError(
        f"`{file}` cannot be read as weights",
        where=str(file),
        why=f"{file.stat().st_size} bytes; {why}",
        hint="a download cut short? " + ", ".join(_SUFFIXES) + " are read",
    )


def _unwrap(content: Any, path: str) -> dict[str, torch.Tensor]:
    """Return the mapping of names to tensors inside whatever a training script saved."""
    if isinstance(content, torch.nn.Module):
        return content.state_dict()
    for _ in range(3):
        if not isinstance(content, Mapping):
            break
        tensors = {str(k): v for k, v in content.items() if isinstance(v, torch.Tensor)}
        inner = next((k for k in _WRAPPERS if _holds_tensors(content.get(k))), None)
        if inner is None and tensors:
            return tensors
        content = content.get(inner) if inner is not None else None
        if isinstance(content, torch.nn.Module):
            return content.state_dict()
    raise WeightsError(
        f"`{path}` holds no state dict",
        where=path,
        why=f"it holds a {type(content).__name__}"
        if content is not None
        else "no names with tensors",
        hint="torch.save(model.state_dict(), FILE)",
    )


def _holds_tensors(value: object) -> bool:
    return isinstance(value, torch.nn.Module) or (isinstance(value, Mapping) and len(value) > 0)


def _rename(
    weights: dict[str, torch.Tensor], expected: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Drop or add the one prefix that makes most names fit; leave names as they are when none is
    better.
    """
    best, fits = weights, _fitting(weights, expected)
    for prefix in _PREFIXES:
        dropped = {k.removeprefix(prefix): v for k, v in weights.items()}
        added = {prefix + k: v for k, v in weights.items()}
        for renamed in (dropped, added):
            if len(renamed) == len(weights) and _fitting(renamed, expected) > fits:
                best, fits = renamed, _fitting(renamed, expected)
    return best


def _fitting(weights: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor]) -> int:
    return sum(name in expected for name in weights)


def _check_fit(
    weights: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor], path: str
) -> None:
    counters = ("num_batches_tracked",)
    missing = [k for k in expected if k not in weights and not k.endswith(counters)]
    unexpected = [k for k in weights if k not in expected and not k.endswith(counters)]
    shapes = [
        f"{k} is {_shape(weights[k])}, the model has {_shape(expected[k])}"
        for k in expected
        if k in weights and weights[k].shape != expected[k].shape
    ]
    if missing or unexpected or shapes:
        raise misfit(path, missing, unexpected, shapes)


def _shape(tensor: torch.Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a number"


def _some(names: list[str]) -> str:
    more = f", and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
