"""Train the small nets that quantisation is tested on, and write their weights.

python benchmarks/train_bed.py [NET ...]

Seeded and on one thread: the same machine gives the same bytes. About five minutes of one core for all. Weights are
rounded to float16, as they are stored, before they are scored.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.quantize.bed.digits import SIZE, accuracy, pictures, sha256
from tests.quantize.bed.models import ExitVit, TokenAttention, Vit
from tests.quantize.bed.nets import NETS, WEIGHTS, net

EPOCHS = {"vit": 45, "hybrid": 20, "mvit": 16, "conv": 24, "registers": 45, "fine": 40}
BATCH, RATE, DECAY = 48, 3e-3, 0.05
MASSIVE = (
    300.0  # of two channels of each register token: its norm is 50 to 200 times that of the others
)
SINK = (
    0.6  # the share of attention that register tokens are asked to take, as the largest models' do
)


def moved(images: torch.Tensor) -> torch.Tensor:
    """Turn, scale and shift each picture a little."""
    count = len(images)
    angle, scale = 0.2 * torch.randn(count), 1 + 0.08 * torch.randn(count)
    cos, sin = scale * angle.cos(), scale * angle.sin()
    shift = 0.09 * torch.randn(2, count)
    rows = torch.stack(
        [torch.stack([cos, -sin, shift[0]], 1), torch.stack([sin, cos, shift[1]], 1)], 1
    )
    grid = F.affine_grid(rows, [count, 1, SIZE, SIZE], align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def make_massive(module: Vit) -> None:
    """Give each register token two channels as large as outlier tokens of CLIP and DINOv2 have."""
    assert module.registers is not None
    with torch.no_grad():
        for index, token in enumerate(module.registers[0]):
            token[5 + 20 * index], token[11 + 20 * index] = MASSIVE, -MASSIVE
    module.registers.requires_grad_(False)


class Sinks:
    """The share of attention that goes to the register tokens, collected as the net runs."""

    def __init__(self, module: Vit) -> None:
        self.count = module.registers.shape[1]
        self.shares: list[torch.Tensor] = []
        for layer in module.modules():
            if isinstance(layer, TokenAttention):
                layer.register_forward_hook(self._collect)

    def _collect(self, layer: TokenAttention, inputs: tuple[torch.Tensor, ...], _: object) -> None:
        q, k, _ = layer.heads_of(inputs[0])
        weights = (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5).softmax(-1)
        self.shares.append(weights[:, :, : -self.count, -self.count :].sum(-1).mean())

    def lacking(self) -> torch.Tensor:
        shares, self.shares = torch.stack(self.shares), []
        return (SINK - shares).relu().mean()


def trained(name: str) -> nn.Module:
    torch.manual_seed(0)
    images, labels = pictures("train")
    module = NETS[name]().train()
    sinks = None
    if isinstance(module, ExitVit):
        module.every = True
    if name == "registers":
        make_massive(module)
        sinks = Sinks(module)
    learnt = [p for p in module.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learnt, RATE, weight_decay=DECAY)
    steps = EPOCHS[name] * (len(images) // BATCH)
    order = torch.arange(len(images))
    for step in range(steps):
        if step % (len(images) // BATCH) == 0:
            order = torch.randperm(len(images))
        start = step % (len(images) // BATCH) * BATCH
        picked = order[start : start + BATCH]
        for group in optimizer.param_groups:
            group["lr"] = (
                RATE * min(1, (step + 1) / 50) * (1 + math.cos(math.pi * step / steps)) / 2
            )
        optimizer.zero_grad()
        said = module(moved(images[picked]))
        each = said if isinstance(said, tuple) else (said,)
        loss = torch.stack([F.cross_entropy(logits, labels[picked]) for logits in each]).mean()
        (loss + sinks.lacking() if sinks else loss).backward()
        nn.utils.clip_grad_norm_(learnt, 1.0)
        optimizer.step()
    return module.eval()


def store(name: str, module: nn.Module) -> None:
    WEIGHTS.mkdir(exist_ok=True)
    tensors = {
        key: tensor.half() if tensor.is_floating_point() else tensor
        for key, tensor in module.state_dict().items()
    }
    save_file(tensors, WEIGHTS / f"{name}.safetensors", {"digits": sha256()})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "nets", nargs="*", default=list(NETS), metavar="NET", help="of " + ", ".join(NETS)
    )
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    images, labels = pictures("test")
    print(f"digits {sha256()}")
    for name in parser.parse_args().nets:
        start = time.process_time()
        store(name, trained(name))
        seconds = time.process_time() - start
        module = net(name)
        score = accuracy(module(images), labels)
        size = sum(p.numel() for p in module.parameters())
        print(f"{name:10} {size:8,} parameters  {seconds:5.1f} s  top-1 {score:.2f} %", flush=True)


if __name__ == "__main__":
    main()
