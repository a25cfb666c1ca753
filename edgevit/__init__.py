"""edgevit: compile a PyTorch vision model to a device artifact, verified on the example inputs.

import edgevit
result = edgevit.export(module, (torch.zeros(1, 3, 224, 224),), target="iphone")
assert result.passed
"""

# Only modules that Python has loaded are imported before the path is clean, not even `__future__`.
import sys

if sys.argv[:1] == ["-m"] and not sys.flags.safe_path:
    del sys.path[0]  # `python -m edgevit` puts the current directory first, and whatever lies in it

TYPE_CHECKING = False  # `typing` is more than this needs
__version__ = "0.1.0"
__all__ = [
    "Bisection",
    "Budgets",
    "CalibrationOptions",
    "Check",
    "DeviceProblem",
    "EdgevitError",
    "EnvironmentProblem",
    "Evaluation",
    "EvaluationOptions",
    "ExportResult",
    "ExportResults",
    "GraphReport",
    "Here",
    "InternalError",
    "MeasuredSession",
    "ModelForecast",
    "QuantizationReport",
    "Target",
    "Tuned",
    "UserError",
    "Verdict",
    "__version__",
    "bisect",
    "check",
    "evaluate",
    "export",
    "forecast",
    "inspect",
    "load_target",
    "profile",
    "quantize",
    "targets",
    "tune",
    "verify",
]

if TYPE_CHECKING:
    from edgevit.bisect import Bisection, bisect
    from edgevit.budgets import Budgets, Check, Here, check
    from edgevit.errors import (
        DeviceProblem,
        EdgevitError,
        EnvironmentProblem,
        InternalError,
        UserError,
    )
    from edgevit.evaluate import Evaluation, EvaluationOptions, evaluate
    from edgevit.export import (
        ExportResult,
        ExportResults,
        GraphReport,
        QuantizationReport,
        export,
        inspect,
        quantize,
    )
    from edgevit.exported import Verdict, verify
    from edgevit.forecast import ModelForecast, forecast
    from edgevit.measure import MeasuredSession, profile
    from edgevit.quantize import CalibrationOptions
    from edgevit.targets import Target, load_target
    from edgevit.targets import list_targets as targets
    from edgevit.tune import Tuned, tune

_HOMES = {
    "Bisection": "edgevit.bisect",
    "Budgets": "edgevit.budgets",
    "CalibrationOptions": "edgevit.quantize",
    "Check": "edgevit.budgets",
    "DeviceProblem": "edgevit.errors",
    "EdgevitError": "edgevit.errors",
    "EnvironmentProblem": "edgevit.errors",
    "Evaluation": "edgevit.evaluate",
    "EvaluationOptions": "edgevit.evaluate",
    "ExportResult": "edgevit.export",
    "ExportResults": "edgevit.export",
    "GraphReport": "edgevit.export",
    "Here": "edgevit.budgets",
    "InternalError": "edgevit.errors",
    "MeasuredSession": "edgevit.measure",
    "ModelForecast": "edgevit.forecast",
    "QuantizationReport": "edgevit.export",
    "Target": "edgevit.targets",
    "Tuned": "edgevit.tune",
    "UserError": "edgevit.errors",
    "Verdict": "edgevit.exported",
    "bisect": "edgevit.bisect",
    "check": "edgevit.budgets",
    "evaluate": "edgevit.evaluate",
    "export": "edgevit.export",
    "forecast": "edgevit.forecast",
    "inspect": "edgevit.export",
    "load_target": "edgevit.targets",
    "profile": "edgevit.measure",
    "quantize": "edgevit.export",
    "targets": "edgevit.targets:list_targets",
    "tune": "edgevit.tune",
    "verify": "edgevit.exported",
}
_Module = type(sys)  # pyright: ignore[reportUnknownVariableType]  # of modules it knows no type


def _public(name: str) -> property:
    """Return a property that looks a public name up when it is first used: `import edgevit` stays light."""

    def get(module: object) -> object:
        from importlib import import_module

        if name not in vars(module):
            home, _, other = _HOMES[name].partition(":")
            vars(module)[name] = getattr(import_module(home), other or name)
        return vars(module)[name]

    def put(module: object, value: object) -> None:
        """Keep the function where the import system would put the package of the same name."""
        if not isinstance(value, _Module):
            vars(module)[name] = value

    return property(get, put)


_FACE = type("_Face", (_Module,), {name: _public(name) for name in _HOMES})  # pyright: ignore[reportUnknownArgumentType]
sys.modules[__name__].__class__ = _FACE  # type: ignore[assignment]


def __dir__() -> list[str]:
    return [*__all__]
