"""Check for non-finite weights before anything is computed with them."""

from __future__ import annotations

import torch

from edgevit.errors import WeightsError

_SHOWN = 5


def check_finite_weights(module: torch.nn.Module, origin: str) -> None:
    """Refuse NaN or Inf in a parameter or running statistic. A buffer may hold -inf: masks do."""
    bad = [f"`{n}`: {_count(p)}" for n, p in module.named_parameters() if not _finite(p)]
    for name, buffer in module.named_buffers():
        running = name.rpartition(".")[2].startswith("running_")
        if (running and not _finite(buffer)) or bool(torch.isnan(buffer).any()):
            bad.append(f"`{name}`: {_count(buffer)}")
    if not bad:
        return
    more = [f"and {len(bad) - _SHOWN} more"] if len(bad) > _SHOWN else []
    raise WeightsError(
        f"{len(bad)} of the model's tensors hold NaN or Inf ({origin})",
        where=bad[0].split("`")[1],
        why="\n".join(bad[:_SHOWN] + more),
        hint="the checkpoint is damaged, or training diverged: take an earlier one",
    )


def _finite(tensor: torch.Tensor) -> bool:
    return bool(torch.isfinite(tensor).all())


def _count(tensor: torch.Tensor) -> str:
    nan, inf = int(torch.isnan(tensor).sum()), int(torch.isinf(tensor).sum())
    return f"{nan} NaN and {inf} Inf of {tensor.numel()} values"
