"""Run of a head's C by this machine's compiler."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from edgevit.snippets.head_python import FOLDER

_SECONDS = 300
_WORDS = ("-O1", "-DHEAD_MAIN")


def compiler() -> str | None:
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def run_compiled(
    folder: Path,
    features: Sequence[torch.Tensor],
    like: Sequence[torch.Tensor],
    words: Sequence[str] = (),
) -> tuple[torch.Tensor, ...]:
    """Compile `head/head.c` of a folder and run it on the artifact's outputs. `words` are another compiler and its options."""
    source = folder / FOLDER / "head.c"
    with tempfile.TemporaryDirectory() as place:
        program = str(Path(place) / "head")
        command = [*(words or [str(compiler())]), *_WORDS, str(source), "-o", program, "-lm"]
        subprocess.run(command, check=True, capture_output=True, timeout=_SECONDS)
        values = b"".join(np.ascontiguousarray(x.detach().numpy()).tobytes() for x in features)
        done = subprocess.run(
            [program], input=values, capture_output=True, check=True, timeout=_SECONDS
        )
    outputs, start = [], 0
    for tensor in like:
        size = tensor.numel() * tensor.element_size()
        part = np.frombuffer(done.stdout[start : start + size], tensor.numpy().dtype)
        outputs.append(torch.from_numpy(part.copy()).reshape(tensor.shape))
        start += size
    return tuple(outputs)
