"""`sample:WIDTH`: a small convolutional net."""

import torch
from torch import nn

from edgevit.errors import ModelError
from edgevit.frontend import ModelSource, Request, Scheme


def takes(spec: str) -> bool:
    return spec.startswith("sample:")


def build(request: Request) -> ModelSource:
    word = request.spec.removeprefix("sample:")
    if not word.isdigit() or not 0 < int(word) <= 1024:
        raise ModelError(
            f"`{word}` is no width",
            where=request.spec,
            why="it is a whole number of 1 to 1024",
            hint="sample:8",
        )
    width = int(word)
    net = nn.Sequential(
        nn.Conv2d(3, width, 3), Absolute(), Absolute(), nn.ReLU(), nn.Flatten(), nn.LazyLinear(4)
    )
    image = torch.randn(request.batch, 3, 16, 16)
    net(image)
    return ModelSource(
        request.spec, f"sample{width}", net, (image,), ("image",), "edgevit-sample", ""
    )


class Absolute(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.abs()


SCHEME = Scheme("sample:WIDTH", takes, build, "random")
