"""The trained nets, by name; each function is a model that an export can be given.

edgevit export tests/quantize/bed/nets.py:vit --target linux-x86
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

if str(ROOT := Path(__file__).parents[3]) not in sys.path:
    sys.path.insert(0, str(ROOT))  # given as a file, it is no part of a package

from tests.quantize.bed.digits import pictures
from tests.quantize.bed.injections import injected as inject
from tests.quantize.bed.models import Conv, ExitVit, Hybrid, MobileVit, Vit

NETS: dict[str, Callable[[], nn.Module]] = {
    "vit": Vit,
    "hybrid": Hybrid,
    "mvit": MobileVit,
    "conv": Conv,
    "registers": partial(Vit, registers=2),
    "fine": partial(ExitVit, every=False),
}
WEIGHTS = Path(__file__).parent / "weights"
Example = tuple[nn.Module, tuple[torch.Tensor, ...]]


def net(name: str, injected: bool = False) -> nn.Module:
    """Return a trained net, ready to run; `injected` has outliers that leave its function as it is."""
    module = NETS[name]()
    stored = load_file(WEIGHTS / f"{name}.safetensors")
    module.load_state_dict(
        {key: tensor.to(module.state_dict()[key].dtype) for key, tensor in stored.items()}
    )
    module.eval().requires_grad_(False)
    return inject(module) if injected else module


def fine() -> Example:
    """Return a net of 65 tokens, where `vit` has 17."""
    return _example("fine")


def exits() -> Example:
    """Return `fine` with its exits."""
    module, example = _example("fine")
    module.every = True
    return module, example


def _example(name: str, injected: bool = False) -> Example:
    return net(name, injected), (pictures("train", 1)[0],)


def vit() -> Example:
    return _example("vit")


def vit_injected() -> Example:
    return _example("vit", injected=True)


def hybrid() -> Example:
    return _example("hybrid")


def hybrid_injected() -> Example:
    return _example("hybrid", injected=True)


def mvit() -> Example:
    return _example("mvit")


def mvit_injected() -> Example:
    return _example("mvit", injected=True)


def conv() -> Example:
    return _example("conv")


def conv_injected() -> Example:
    return _example("conv", injected=True)


def registers() -> Example:
    return _example("registers")
