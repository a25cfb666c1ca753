"""The artifact, opened from disk and run by PyTorch."""

from pathlib import Path

import torch

from edgevit.backends import Arrays, OpTime, TensorSpec


def open_session(path: Path, threads: int) -> "ExportedProgramSession":
    torch.set_num_threads(threads)
    return ExportedProgramSession(path)


class ExportedProgramSession:
    def __init__(self, path: Path) -> None:
        program = torch.export.load(path)
        self._module = program.module()
        nodes = {node.name: node.meta["val"] for node in program.graph.nodes if "val" in node.meta}
        signature = program.graph_signature
        self.inputs = tuple(_spec(name, nodes[name]) for name in signature.user_inputs)
        self.outputs = tuple(_spec(name, nodes[name]) for name in signature.user_outputs)

    def run(self, arrays: Arrays) -> list:
        with torch.no_grad():
            outputs = self._module(*map(torch.from_numpy, arrays))
        return [y.numpy() for y in (outputs if isinstance(outputs, tuple | list) else (outputs,))]

    def op_times(self, arrays: Arrays, repeats: int) -> tuple[OpTime, ...]:
        return ()


def _spec(name: str, value: torch.Tensor) -> TensorSpec:
    return TensorSpec(name, tuple(value.shape), str(value.dtype).removeprefix("torch."))
