"""A small vision transformer that has learnt something keeps it in 8 bits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from edgevit.frontend.zoo.vit import Vit, VitSizes
from edgevit.integer.lowering.quantized import QuantOptions
from edgevit.quantize.calibration import Calibration
from tests.quantize.imported import imported

SIZES = VitSizes(image=8, patch=2, width=32, heads=2, layers=2, ratio=2)


def pictures() -> tuple[torch.Tensor, torch.Tensor]:
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 8 - 1
    mixed = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    return images.repeat(1, 3, 1, 1)[mixed], torch.tensor(digits.target)[mixed]


@pytest.fixture(scope="module")
def trained() -> nn.Module:
    torch.manual_seed(0)
    images, labels = pictures()
    net = Vit(SIZES)
    steps = torch.optim.AdamW(net.parameters(), 3e-3, weight_decay=0.01)
    for step in range(420):
        picked = torch.randint(0, 1200, (64,))
        for group in steps.param_groups:
            group["lr"] = 3e-3 * (1 - step / 420)
        steps.zero_grad()
        nn.functional.cross_entropy(net(images[picked]), labels[picked]).backward()
        steps.step()
    return net.eval()


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [QuantOptions(), QuantOptions(residual="int16"), QuantOptions(softmax="i-vit", gelu="i-vit")],
    ids=["int8", "int16-stream", "i-vit"],
)
def test_at_most_half_a_point_is_lost(trained: nn.Module, options: QuantOptions) -> None:
    images, labels = pictures()
    runs = tuple((image[None],) for image in images[:64])
    found = imported(trained, images[:1], calibration=Calibration(runs, "digits"), options=options)
    tested, wanted = images[1200:], labels[1200:].numpy()
    with torch.no_grad():
        float_hits = np.mean(trained(tested).argmax(1).numpy() == wanted)
    guesses = [int(found.run((image[None],))[0].argmax()) for image in tested]
    assert float_hits > 0.9
    assert np.mean(np.array(guesses) == wanted) >= float_hits - 0.005
