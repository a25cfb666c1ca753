"""edgevit: compile a PyTorch vision model to a device artifact, verified on the example inputs.

import edgevit
result = edgevit.export("timm:shvit_s1", target="iphone")
assert result.passed
"""

# Only modules that Python has loaded are imported before the path is clean, not even `__future__`.
import sys

if sys.argv[:1] == ["-m"] and not sys.flags.safe_path:
    del sys.path[0]  # `python -m edgevit` puts the current directory first, and whatever lies in it

TYPE_CHECKING = False  # `typing` is more than this needs
__version__ = "0.1.0"
__all__ = ["EdgevitError", "__version__", "export", "inspect"]

if TYPE_CHECKING:
    from edgevit.errors import EdgevitError
    from edgevit.export.pipeline import export, inspect

_HOMES = {
    "EdgevitError": "edgevit.errors",
    "export": "edgevit.export.pipeline",
    "inspect": "edgevit.export.pipeline",
}
_Module = type(sys)  # pyright: ignore[reportUnknownVariableType]  # of modules it knows no type


def _public(name: str) -> property:
    """Return a property that looks a public name up when it is first used: `import edgevit` stays light."""

    def get(module: object) -> object:
        from importlib import import_module

        if name not in vars(module):
            vars(module)[name] = getattr(import_module(_HOMES[name]), name)
        return vars(module)[name]

    def put(module: object, value: object) -> None:
        """Keep the function where the import system would put the package of the same name."""
        if not isinstance(value, _Module):
            vars(module)[name] = value

    return property(get, put)


_FACE = type("_Face", (_Module,), {name: _public(name) for name in _HOMES})  # pyright: ignore[reportUnknownArgumentType]
sys.modules[__name__].__class__ = _FACE  # type: ignore[assignment]
