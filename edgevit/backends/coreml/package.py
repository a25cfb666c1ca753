"""Conversion of a program by coremltools: converted once, saved once for each precision."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevit.backends.by_position import leaves_some_out
from edgevit.backends.coreml.composite import expand_composites
from edgevit.backends.coreml.deterministic import make_deterministic
from edgevit.backends.coreml.failure import blame, node_in_conversion
from edgevit.backends.coreml.metadata import describe
from edgevit.backends.coreml.passes import run_passes
from edgevit.backends.coreml.supported import is_taken
from edgevit.backends.coreml.tool import coremltools, quiet
from edgevit.backends.exported import exported_program
from edgevit.errors import TargetError, suggest
from edgevit.frontend import ModelSource
from edgevit.graph.aten import op
from edgevit.graph.program import Program

_OLDEST = 6  # the specification of iOS 15, the first that has ML programs


@dataclass(frozen=True)
class Package:
    """Package of a program, which has the names that the package will have.

    With `image_input` the program takes pixels 0..255.
    """

    program: Program
    source: ModelSource
    minimum_os: str
    image_input: bool

    def convert(self, passes: tuple[str, ...]) -> Any:
        """Return the MIL program at full precision."""
        with quiet(), blame(self.program, "convert the program"):
            mil = self._convert(self.program, frozenset(), frozenset())
        self.run_passes(mil, passes)
        return mil

    def _convert(
        self, program: Program, by_position: frozenset[str], given_up: frozenset[str]
    ) -> Any:
        """Convert the program, and retry ops that coremltools fails on.

        Some converters do not accept what `torch.export` writes. Such an op is tried again with all
        arguments positional, then expanded by its definition.
        """
        ct = coremltools()
        try:
            return ct.convert(
                exported_program(program, by_position),
                source="pytorch",
                convert_to="milinternal",
                minimum_deployment_target=deployment_target(self.minimum_os),
                compute_precision=ct.precision.FLOAT32,
                inputs=self._inputs(),
                outputs=[ct.TensorType(name=name) for name in program.output_names],
                pass_pipeline=ct.PassPipeline.EMPTY,
            )
        except Exception as error:
            node = node_in_conversion(error, program)
            if node is None or op(node) in given_up:
                raise
            if op(node) not in by_position and leaves_some_out(node):
                by_position |= {op(node)}
            else:
                given_up |= {op(node)}
                program = expand_composites(
                    program, lambda n: is_taken(n) and op(n) not in given_up
                )
                if any(op(n) in given_up or not is_taken(n) for n in program.calls()):
                    raise
        return self._convert(program, by_position, given_up)

    def run_passes(self, mil: Any, passes: tuple[str, ...], in_fp32: Collection[str] = ()) -> None:
        with quiet(), blame(self.program, "optimise the program"):
            run_passes(mil, passes, in_fp32)

    def save(self, mil: Any, path: Path, tools: dict[str, str]) -> None:
        """Save the MIL program as a package.

        The passes have already run, so the `compute_precision` given here has no effect.
        """
        ct = coremltools()
        with quiet(), blame(self.program, "write the package"):
            model = ct.convert(
                mil,
                source="milinternal",
                convert_to="mlprogram",
                minimum_deployment_target=deployment_target(self.minimum_os),
                compute_precision=ct.precision.FLOAT32,
                pass_pipeline=ct.PassPipeline.EMPTY,
                skip_model_load=True,
            )
            describe(model, self.program, self.source, tools, self.image_input)
            model.save(str(path))
        make_deterministic(path)

    def _inputs(self) -> list[Any]:
        ct = coremltools()
        if self.image_input:
            shape = tuple(self.program.inputs[0].shape)
            return [
                ct.ImageType(
                    name=self.program.input_names[0], shape=shape, color_layout=ct.colorlayout.RGB
                )
            ]
        return [ct.TensorType(name=name) for name in self.program.input_names]


def deployment_target(minimum_os: str) -> Any:
    """Return coremltools' deployment target for a name such as "iOS17" or "macOS14"."""
    targets = {
        name: entry
        for name, entry in coremltools().target.__members__.items()
        if entry.value >= _OLDEST
    }
    if minimum_os not in targets:
        raise TargetError(
            f"no operating system `{minimum_os}` is known to coremltools {coremltools().__version__}",
            hint=suggest(minimum_os, targets) or "iOS15 or later: ML programs begin there",
        )
    return targets[minimum_os]
