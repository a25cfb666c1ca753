"""Small Core ML packages for the tests of the check: built with MIL's own builder, saved to disk."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from edgevit.backends.coreml import tool
from edgevit.backends.coreml.check import InterpretedRun, MilPackage, interpret, load_package
from edgevit.errors import MissingToolError

# coremltools is untyped: what its builder hands around is opaque here.
Var = Any
Build = Callable[..., Var | tuple[Var, ...]]
Case = tuple[Callable[..., Var], Callable[..., Tensor]]


def save_program(
    folder: Path,
    build: Build,
    inputs: Mapping[str, Tensor],
    *,
    target: str = "iOS17",
    fp16: bool = False,
) -> Path:
    """`build` takes the inputs as MIL variables; no optimising pass runs, so its operations stay."""
    ct = coremltools()
    mb = builder()
    from coremltools.converters.mil.mil import types

    kinds = {torch.float32: types.fp32, torch.int32: types.int32, torch.bool: types.bool}
    specs = [mb.TensorSpec(shape=tuple(x.shape), dtype=kinds[x.dtype]) for x in inputs.values()]
    names = ", ".join(inputs)
    opset = getattr(ct.target, target)
    function = eval(
        f"lambda {names}: build({names})", {"build": build}
    )  # the builder reads argument names
    program = mb.program(input_specs=specs, opset_version=opset)(function)
    model = ct.convert(
        program,
        convert_to="mlprogram",
        minimum_deployment_target=opset,
        compute_precision=ct.precision.FLOAT16 if fp16 else ct.precision.FLOAT32,
        pass_pipeline=ct.PassPipeline.DEFAULT if fp16 else ct.PassPipeline.EMPTY,
        skip_model_load=True,
    )
    return save(model, folder)


def save_module(
    folder: Path,
    module: torch.nn.Module,
    x: Tensor,
    *,
    target: str = "iOS17",
    fp16: bool = False,
    **options: Any,
) -> Path:
    ct = coremltools()
    exported = torch.export.export(module.eval(), (x,)).run_decompositions({})
    model = ct.convert(
        exported,
        minimum_deployment_target=getattr(ct.target, target),
        compute_precision=ct.precision.FLOAT16 if fp16 else ct.precision.FLOAT32,
        skip_model_load=True,
        **options,
    )
    return save(model, folder)


def save(model: Any, folder: Path) -> Path:
    path = folder / "model.mlpackage"
    model.save(str(path))
    return path


def coremltools() -> Any:
    logging.getLogger("coremltools").setLevel(logging.ERROR)
    try:
        return tool.coremltools()
    except MissingToolError as error:
        pytest.skip(error.hint, allow_module_level=True)


def builder() -> Any:
    """MIL's builder. Its operations are methods that exist at run time only."""
    coremltools()
    from coremltools.converters.mil import Builder

    return Builder


def run_cases(
    folder: Path, cases: Mapping[str, Case], inputs: Mapping[str, Tensor], *, target: str = "iOS17"
) -> dict[str, tuple[Tensor, Tensor]]:
    """(ours, expected) by case, all cases being outputs of one program."""

    def build(**variables: Var) -> tuple[Var, ...]:
        return tuple(make(**variables) for make, _ in cases.values())

    path = save_program(
        folder, lambda *given: build(**dict(zip(inputs, given, strict=True))), inputs, target=target
    )
    package = load_package(path)
    run = interpret(package, inputs)
    assert run.complete, [str(u) for u in run.unchecked]
    ours = [run.outputs[name] for name in package.main.outputs]
    wanted = [reference(**inputs) for _, reference in cases.values()]
    return dict(zip(cases, zip(ours, wanted, strict=True), strict=True))


def assert_cases(
    folder: Path,
    cases: Mapping[str, Case],
    inputs: Mapping[str, Tensor],
    *,
    target: str = "iOS17",
    rtol: float = 1e-5,
) -> None:
    """Within a few fp32 roundings of an independent reference (torch's own operator, or the formula)."""
    for name, (ours, wanted) in run_cases(folder, cases, inputs, target=target).items():
        assert tuple(ours.shape) == tuple(wanted.shape), name
        torch.testing.assert_close(
            ours, wanted.to(ours.dtype), rtol=rtol, atol=1e-5, msg=lambda m, n=name: f"{n}: {m}"
        )


def run_module(
    folder: Path, module: torch.nn.Module, x: Tensor, **options: Any
) -> tuple[MilPackage, InterpretedRun, Tensor]:
    """The package of a module, our fp32 run of it, and what the module itself answers."""
    package = load_package(save_module(folder, module, x, **options))
    with torch.no_grad():
        wanted = module.eval()(x)
    return package, interpret(package, {package.main.inputs[0].name: x}), wanted


def rel_l2(ours: Tensor, wanted: Tensor) -> float:
    return float((ours - wanted).norm() / wanted.norm())
