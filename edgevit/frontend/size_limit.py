"""Size limit for models from an untrusted config: a build without data comes first, and an endless
one is refused.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch.nn.modules import module as registration

from edgevit.errors import ModelError

MOST_MODULES = 30_000  # vision models have some thousands
MOST_BYTES = 16 << 30  # of parameters in float32: 4,000 million


def require_buildable(build: Callable[[], object], name: str) -> None:
    """Return if a build on the `meta` device ends within the limits, or fails in a way that the
    real build will report.
    """
    with contextlib.suppress(_OtherError), _counted(name), torch.device("meta"):
        try:
            build()
        except ModelError:
            raise
        except Exception as error:  # some read values while they build, and `meta` has none
            raise _OtherError from error


class _OtherError(Exception):
    pass


@contextlib.contextmanager
def _counted(name: str) -> Iterator[None]:
    count = {"modules": 0, "bytes": 0}

    def add_module(*_: object) -> None:
        count["modules"] += 1
        if count["modules"] > MOST_MODULES:
            raise _endless(name, f"more than {MOST_MODULES:,} modules")

    def add_tensor(_owner: object, _name: str, tensor: torch.Tensor | None) -> None:
        count["bytes"] += tensor.numel() * 4 if tensor is not None else 0
        if count["bytes"] > MOST_BYTES:
            raise _endless(name, f"more than {MOST_BYTES >> 30} GB of parameters")

    handles = [
        registration.register_module_module_registration_hook(add_module),
        registration.register_module_parameter_registration_hook(add_tensor),
        registration.register_module_buffer_registration_hook(add_tensor),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _endless(name: str, why: str) -> ModelError:
    return ModelError(
        f"`{name}` is too large to be built",
        where="its config",
        why=why,
        hint="look at the sizes in config.json: layers, widths, the image and its patches",
    )
