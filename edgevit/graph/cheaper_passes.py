"""torch's passes without two costs that grow with their number, for the time of a lowering.

`run_decompositions` asks the dispatcher for the composite operators once for each of some forty
namespaces: half the time of a one-line net's lowering. Each pass over a graph copies the history of
every node, which the pass before made longer, and ExecuTorch has forty passes.
"""

from __future__ import annotations

import functools
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import Any

from torch._export import utils
from torch.fx import traceback

_LIST = "_materialize_cpp_cia_ops"


@contextmanager
def cheaper_passes() -> Generator[None]:
    """List composite operators once, and share histories instead of copying them.

    Nothing registers an operator inside, and nothing changes a history.
    """
    with ExitStack() as stack:
        if listing := getattr(utils, _LIST, None):  # not in every release of torch
            stack.callback(setattr, utils, _LIST, listing)
            setattr(utils, _LIST, functools.cache(listing))
        history = getattr(traceback, "NodeSource", None)
        if history and not hasattr(history, "__deepcopy__"):
            history.__deepcopy__ = _itself
            stack.callback(delattr, history, "__deepcopy__")
        yield


def _itself(history: Any, memo: dict[int, Any]) -> Any:
    return history
