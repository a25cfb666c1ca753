"""Random weights under which every part of a net matters to its output.

Freshly initialised nets switch off most of themselves: zero batch-norm gammas, layer scales of
1e-5, zero position tables, matrices of std 0.02. A parity test on such a net passes whatever was
done to the dead parts. Here each parameter is judged by its values and shape, never by the model's
name, and moved to where trained weights live; then batch norm statistics are set to what the data
gives, layer after layer, which also tames nets whose raw activations explode.

The ranges are a compromise: open enough that an error anywhere shows in the output, mild enough
that float16 still follows (activations stay near 1e0..1e2, residual branches near their trunk).
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from edgevit.frontend.images import random_images
from edgevit.frontend.trial import tensors_in

_QUIET_TABLE = 0.03  # std below which a free table (positions, tokens) is at its initial whisper
_TABLE_STD = 0.2
_TINY_SCALE = 0.15  # a constant vector below this is a layer scale at its initial value
_GAIN = (0.8, 1.5)  # std * sqrt(fan_in) of a weight matrix; 1 keeps the variance of its input
# A few pictures misjudge each channel's variance, and the error multiplies from layer to layer until
# a picture not among them explodes (starnet_s1: 1e5). The layer's mean variance is known far better.
_SHARED_VARIANCE = 0.9
_DEVIATION_FLOOR = 0.3  # of the channel's mean: else the norm turns rounding into signal
_WARM_BATCH = 8  # with 4, starnet_s1 and efficientvit_m0 lose float16
_HIGH_CONTRAST = 2.0  # of the strongest picture; example inputs have 1
_PROBE_SEED = 1_000_003  # pictures other than the example inputs


def make_live(module: nn.Module, inputs: tuple[torch.Tensor, ...], seed: int) -> None:
    """Open closed parameters, then warm batch norms, in place. The same seed gives the same net."""
    generator = torch.Generator().manual_seed(seed)
    seen: set[int] = set()
    with torch.no_grad():
        for owner in module.modules():
            for name, parameter in owner.named_parameters(recurse=False):
                if id(parameter) in seen or parameter.numel() == 0:
                    continue
                if parameter.is_floating_point():
                    seen.add(id(parameter))
                    _open(parameter, name, owner, generator)
        _warm_batch_norms(module, inputs, seed)


def liveness(module: nn.Module, inputs: tuple[torch.Tensor, ...], seed: int = 0) -> float:
    """Measure the change of the outputs with the input: ||f(a) - f(b)|| / ||f(a)||, the minimum
    over all outputs.
    """
    others = _other_inputs(inputs, inputs[0].shape[0], seed)
    with torch.no_grad():
        pairs = zip(tensors_in(module(*inputs)), tensors_in(module(*others)), strict=True)
        change = [
            float((a - b).norm() / a.norm().clamp_min(1e-12))
            for a, b in pairs
            if a.is_floating_point()
        ]
    return min(change, default=0.0)


def _open(parameter: nn.Parameter, name: str, owner: nn.Module, generator: torch.Generator) -> None:
    low, high = float(parameter.min()), float(parameter.max())
    if low == high:
        _open_constant(parameter, low, name, generator)
    elif _is_vector(parameter) and _scales(name) and _rms(parameter) <= _TINY_SCALE:
        # gammas drawn around 0, as some models do for batch norms
        _uniform(parameter, 0.3, 1.0, generator)
    elif _is_matrix(parameter, name, owner):
        _set_gain(parameter, owner)
    elif parameter.dim() >= 2 and float(parameter.std()) < _QUIET_TABLE:
        parameter.mul_(_TABLE_STD / float(parameter.std()))


def _open_constant(
    parameter: nn.Parameter, value: float, name: str, generator: torch.Generator
) -> None:
    if _is_vector(parameter):
        if value == 0 and not _scales(name):
            _uniform(parameter, -0.1, 0.1, generator)
        elif abs(value) <= _TINY_SCALE:
            _uniform(parameter, 0.3, 1.0, generator)
            parameter.mul_(-1.0 if value < 0 else 1.0)
        else:
            spread = torch.empty_like(parameter)
            _uniform(spread, *((0.5, 1.5) if value == 1 else (0.8, 1.2)), generator)
            parameter.mul_(spread)
    elif abs(value) <= _TINY_SCALE:
        fan_in = parameter[0].numel()
        std = 1 / math.sqrt(fan_in) if name.endswith("weight") else _TABLE_STD
        parameter.normal_(value, std, generator=generator)
    else:
        parameter.mul_(1 + 0.2 * torch.randn(parameter.shape, generator=generator))


def _is_vector(parameter: nn.Parameter) -> bool:
    """Check for at most one axis longer than 1: `[C]`, `[C, 1, 1]`, `[1, 1, C]`, or a single
    number.
    """
    return sum(size > 1 for size in parameter.shape) <= 1


def _scales(name: str) -> bool:
    """Check by name whether a zero vector multiplies. A zero bias or token adds."""
    return name.endswith(("weight", "gamma", "scale", "alpha")) or name.startswith("gamma")


def _is_matrix(parameter: nn.Parameter, name: str, owner: nn.Module) -> bool:
    return parameter.dim() >= 2 and name.endswith("weight") and not isinstance(owner, nn.Embedding)


def _set_gain(weight: nn.Parameter, owner: nn.Module) -> None:
    """Bring std * sqrt(fan_in) into `_GAIN`: neither muted nor multiplying at every layer."""
    transposed = bool(getattr(owner, "transposed", False))
    fan_in = weight[:, 0].numel() if transposed else weight[0].numel()
    gain = _rms(weight) * math.sqrt(fan_in)
    if gain > 0:
        weight.mul_(min(max(gain, _GAIN[0]), _GAIN[1]) / gain)


def _rms(tensor: torch.Tensor) -> float:
    return float(tensor.square().mean().sqrt())


def _uniform(tensor: torch.Tensor, low: float, high: float, generator: torch.Generator) -> None:
    tensor.copy_(torch.rand(tensor.shape, generator=generator) * (high - low) + low)


def _warm_batch_norms(module: nn.Module, inputs: tuple[torch.Tensor, ...], seed: int) -> None:
    """Set running statistics to those of a batch of pictures, so that each layer sees normalised
    input.
    """
    norms = [m for m in module.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    handles = [norm.register_forward_pre_hook(_take_statistics) for norm in norms]
    own = inputs[0].shape[0] if inputs[0].dim() else 1
    try:
        module(*_varied(_other_inputs(inputs, max(_WARM_BATCH, own), seed)))
    except (RuntimeError, ValueError, AssertionError):  # a model that fixes its batch size
        module(*_other_inputs(inputs, own, seed))
    finally:
        for handle in handles:
            handle.remove()


def _varied(inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    """Scale inputs from low to high contrast, so that statistics hold for any contrast, not just
    one.
    """
    contrast = torch.linspace(0.5, _HIGH_CONTRAST, inputs[0].shape[0])
    return tuple(
        x * contrast.view(-1, *[1] * (x.dim() - 1)) if x.is_floating_point() and x.dim() > 1 else x
        for x in inputs
    )


def _take_statistics(norm: nn.Module, args: tuple[torch.Tensor, ...]) -> None:
    """Set a norm's statistics from its input.

    The hook runs before a batch norm in eval mode, which already uses them for this input.
    """
    assert isinstance(norm, _BatchNorm)
    if norm.running_mean is None or norm.running_var is None:
        return
    values = args[0].transpose(0, 1).flatten(1)
    mean, variance = values.mean(1), values.var(1, correction=0)
    variance = torch.lerp(variance, variance.mean(), _SHARED_VARIANCE)
    variance = variance.maximum((_DEVIATION_FLOOR * mean).square())
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(torch.where(variance > 0, variance, 1.0))


def _other_inputs(
    inputs: tuple[torch.Tensor, ...], batch: int, seed: int
) -> tuple[torch.Tensor, ...]:
    """Generate inputs of the same kind with other content; integers and masks are repeated as they
    are.
    """
    others = []
    for index, example in enumerate(inputs):
        if example.is_floating_point() and example.dim() > 0:
            shape = (batch, *example.shape[1:])
            others.append(random_images(shape, seed + _PROBE_SEED + index))
        elif batch != inputs[0].shape[0] and example.dim() > 0:
            repeats = math.ceil(batch / example.shape[0])
            others.append(torch.cat([example] * repeats)[:batch])
        else:
            others.append(example)
    return tuple(others)
