"""torch's list of composite operators, asked of the dispatcher once for several decompositions.

`run_decompositions` asks for it once for each of some forty namespaces. That is half the time of a
small net's lowering.
"""

from __future__ import annotations

import functools
from collections.abc import Generator
from contextlib import contextmanager

from torch._export import utils

_LIST = "_materialize_cpp_cia_ops"


@contextmanager
def operators_listed_once() -> Generator[None]:
    """Let the first request for the list answer all that follow inside the context.

    Nothing registers an operator inside.
    """
    listing = getattr(utils, _LIST, None)
    if listing is None:  # in another release of torch
        yield
        return
    setattr(utils, _LIST, functools.cache(listing))
    try:
        yield
    finally:
        setattr(utils, _LIST, listing)
