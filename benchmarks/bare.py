"""What people do without us: each format by the recipe of its own documentation, with nothing checked.

python benchmarks/bare.py executorch shvit_s1 /tmp/bare.pte
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import torch

Inputs = tuple[torch.Tensor, ...]


def coreml(model: torch.nn.Module, inputs: Inputs, path: Path) -> None:
    import coremltools as ct

    exported = torch.export.export(model, inputs).run_decompositions({})
    package = ct.convert(
        exported,
        minimum_deployment_target=ct.target.iOS17,
        compute_precision=ct.precision.FLOAT16,
        skip_model_load=True,
    )
    assert isinstance(package, ct.models.MLModel)
    package.save(str(path))


def executorch(model: torch.nn.Module, inputs: Inputs, path: Path) -> None:
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    exported = torch.export.export(model, inputs)
    edge = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()])
    path.write_bytes(edge.to_executorch().buffer)


def tflite(model: torch.nn.Module, inputs: Inputs, path: Path) -> None:
    import litert_torch

    litert_torch.convert(model, inputs).export(str(path))


def onnx(model: torch.nn.Module, inputs: Inputs, path: Path) -> None:
    import onnx as library
    import onnxsim

    program = torch.onnx.export(model, inputs, dynamo=True, verbose=False)
    assert program is not None
    simplified, _ = onnxsim.simplify(program.model_proto)
    library.save(simplified, path)


RECIPES: dict[str, Callable[[torch.nn.Module, Inputs, Path], None]] = {
    "coreml": coreml,
    "executorch": executorch,
    "tflite": tflite,
    "onnx": onnx,
}


def main(format: str, net: str, path: str) -> None:
    from edgevit.frontend.torchvision_ops import (
        make_torchvision_importable,  # timm does not import without
    )

    make_torchvision_importable()
    import timm

    model = timm.create_model(net).eval()
    RECIPES[format](
        model, (torch.randn([1, *map(int, model.default_cfg["input_size"])]),), Path(path)
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
