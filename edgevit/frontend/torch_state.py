"""Torch's own settings while a model is compiled: as a new process has them, then as they were."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator

import numpy as np
import torch


@contextlib.contextmanager
def default_torch() -> Iterator[None]:
    """Run with torch's default settings, then restore the caller's.

    A notebook may have set a default device or type, be in inference mode or in autocast, and it
    goes on with the random numbers and the number of threads that it had.
    """
    threads, kind = torch.get_num_threads(), torch.get_default_dtype()
    generators = random.getstate(), np.random.get_state()
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(devices=[]))
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        if torch.is_autocast_enabled("cpu"):
            stack.enter_context(torch.autocast("cpu", enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            torch.set_default_dtype(kind)
            torch.set_num_threads(threads)
            random.setstate(generators[0])
            np.random.set_state(generators[1])
