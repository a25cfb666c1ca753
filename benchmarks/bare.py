"""What people do without us: torch.export, run_decompositions, coremltools.convert, save.

python benchmarks/bare.py shvit_s1 /tmp/bare.mlpackage
"""

from __future__ import annotations

import sys

import torch


def main(net: str, path: str) -> None:
    from edgevit.frontend.torchvision_ops import (
        make_torchvision_importable,  # timm does not import without
    )

    make_torchvision_importable()
    import coremltools as ct
    import timm

    model = timm.create_model(net).eval()
    size = model.default_cfg["input_size"]
    exported = torch.export.export(model, (torch.randn(1, *size),)).run_decompositions({})
    package = ct.convert(
        exported,
        minimum_deployment_target=ct.target.iOS17,
        compute_precision=ct.precision.FLOAT16,
        skip_model_load=True,
    )
    package.save(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
