"""Weights for a transformers model.

Its own loader is used, as names in its files are not those in its modules.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from edgevit.errors import WeightsError
from edgevit.frontend.hub import OFFLINE, hub_access, may_have
from edgevit.frontend.state_dict_file import misfit, read_state_dict
from edgevit.frontend.trial import first_line
from edgevit.frontend.weight_kinds import require_exact
from edgevit.support.silence import quiet

_FILES = ("*.safetensors", "*.bin", "*.safetensors.index.json", "*.bin.index.json")


def require_at_hand(name: str, folder: Path | None) -> None:
    """Refuse to look for weights that an architecture has not, a folder lacks, or no hub gives."""
    if folder is not None and not any(next(folder.glob(file), None) for file in _FILES):
        raise WeightsError(f"`{folder}` has no weights", why="no file in it has weights")
    if folder is None and "/" not in name:
        raise WeightsError(f"`hf:{name}` has no weights", why="it names an architecture")
    if folder is None and not may_have(name):
        raise WeightsError(f"the weights of `{name}` are not at hand", why=OFFLINE)


def pretrained(model_class: Any, config: Any, name: str, folder: Path | None) -> torch.nn.Module:
    """Load the weights from the folder, the hub's cache or the hub; none may be missing."""
    if folder is None and "/" not in name:
        raise WeightsError(
            f"`hf:{name}` names an architecture, which has no weights",
            hint="name a model: hf:ORG/NAME, or give --weights FILE",
        )
    try:
        with hub_access(), quiet("transformers"):
            model, loading_info = model_class.from_pretrained(
                str(folder or name),
                config=config,
                dtype=torch.float32,
                local_files_only=folder is not None,
                output_loading_info=True,
            )
    except Exception as error:
        raise WeightsError(
            f"cannot get the weights of `{name}`",
            why=first_line(error),
            hint="go online once (they are cached), give --weights FILE, or use random",
        ) from error
    missing = sorted(loading_info["missing_keys"])
    if missing:
        raise WeightsError(
            f"the weights of `{name}` lack {len(missing)} parameters of {model_class.__name__}",
            why=", ".join(missing[:5]) + (" ..." if len(missing) > 5 else ""),
            hint="name the class the weights were made for: `architectures` in config.json",
        )
    return model


def from_file(model_class: Any, config: Any, path: str, trust: bool) -> torch.nn.Module:
    """Load the weights of a file, by the names transformers saves or by those of the modules."""
    weights = read_state_dict(path, trust)
    while {name.partition(".")[0] for name in weights} in ({"module"}, {"_orig_mod"}):
        weights = {name.partition(".")[2]: tensor for name, tensor in weights.items()}
    real = {n: torch.float32 for n, t in weights.items() if t.is_floating_point() or t.is_complex()}
    require_exact(weights, real, path)
    try:
        with quiet("transformers"):
            model, loading_info = model_class.from_pretrained(
                None,
                config=config,
                state_dict=weights,
                dtype=torch.float32,
                ignore_mismatched_sizes=True,  # they are reported below, all of them
                output_loading_info=True,
            )
    except Exception as error:
        raise WeightsError(
            f"`{path}` does not fit the model",
            where=path,
            why=first_line(error),
            hint="build the model the weights were trained for",
        ) from error
    shapes = [
        f"{n} is {_shape(a)}, the model has {_shape(b)}"
        for n, a, b in loading_info["mismatched_keys"]
    ]
    missing, unexpected = (
        sorted(loading_info["missing_keys"]),
        sorted(loading_info["unexpected_keys"]),
    )
    if missing or unexpected or shapes:
        raise misfit(path, missing, unexpected, shapes)
    return model


def _shape(size: Any) -> str:
    return "x".join(map(str, size))
