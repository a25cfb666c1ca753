from __future__ import annotations

import torch


def load_into(module: torch.nn.Module, path: str, trust: bool) -> None:
    module.load_state_dict(torch.load(path, weights_only=not trust))
