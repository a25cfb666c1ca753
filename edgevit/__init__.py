"""edgevit: a PyTorch vision model in; what runs on the device out, proven to compute the same thing.

import edgevit
result = edgevit.export("timm:shvit_s1", target="iphone")
assert result.passed
"""

import sys

if sys.argv[:1] == ["-m"] and not sys.flags.safe_path:
    del sys.path[0]  # `python -m edgevit` puts the current directory first, and whatever lies in it

TYPE_CHECKING = False  # `typing` is more than this needs
__version__ = "0.1.0"
__all__ = ["EdgevitError", "__version__", "export", "inspect"]

if TYPE_CHECKING:
    from edgevit.errors import EdgevitError
    from edgevit.pipeline import export, inspect


def __getattr__(name: str) -> object:
    """`import edgevit` stays light: torch is imported when something needs it."""
    if name == "EdgevitError":
        from edgevit.errors import EdgevitError

        return EdgevitError
    if name in {"export", "inspect"}:
        from edgevit import pipeline

        return getattr(pipeline, name)
    raise AttributeError(f"module `edgevit` has no attribute `{name}`")
