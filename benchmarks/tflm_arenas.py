"""The arena that TensorFlow Lite Micro takes for a net in int8, and ours: the same net, quantised by each one's own tools.

    python benchmarks/tflm_arenas.py --output docs/tflm-arenas.md

TFLM's is the smallest arena its own interpreter runs in (measured here, on this machine, with its interpreter from
PyPI); it holds the whole input. Ours is planned, and checked byte by byte; rows of the image are pushed into it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

NETS = (
    ("timm:mobilenetv4_conv_small_035", 96),
    ("timm:mobilenetv4_conv_small_050", 96),
    ("timm:mobilenetv4_conv_small_050", 128),
    ("zoo:hybrid-i64-d32-l2", None),
    ("zoo:vit-i64-p8-d96-h3-l6", None),
)
_LARGEST = 64 << 20
_GRAIN = 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    rows = []
    for model, size in NETS:
        with tempfile.TemporaryDirectory() as work:
            rows.append(_compared(model, size, Path(work)))
        print(rows[-1], file=sys.stderr)
    text = "\n".join([*_HEAD, *rows]) + "\n"
    if options.output:
        options.output.write_text(text)
    else:
        print(text)


_HEAD = (
    "# Arenas beside TensorFlow Lite Micro's",
    "",
    "Written by `python benchmarks/tflm_arenas.py --output docs/tflm-arenas.md`. Bytes. TFLM: the smallest arena that its interpreter (tflite-micro from",
    "PyPI) allocates and runs in, measured here, where pointers have 64 bits; of ours the arena (planned, verified, and equal to what is in the ELF), everything kept whole, and as",
    "`--optimize balanced` and `ram` make it, with rows of the image pushed into it. What streaming the first stages saves is the step from the third column.",
    "",
    "| net | TFLM | everything kept | balanced | ram | ram / TFLM |",
    "|---|--:|--:|--:|--:|--:|",
)


def _compared(model: str, size: int | None, work: Path) -> str:
    from edgevit.backends.mcu.schedule.intake import prepared

    from edgevit.backends.mcu.bundle import read_bundle
    from edgevit.backends.mcu.schedule.plan import make_plan
    from edgevit.backends.mcu.schedule.search import best_plan
    from edgevit.export.api import export

    theirs = _smallest_arena(_int8_tflite(model, size, work))
    export(model, target="qemu-m4", output=work / "ours", weights="random", input_size=size)
    bundle = read_bundle(work / "ours")
    net, cards = prepared(bundle.graph, bundle.core)
    whole = make_plan(net, cards, frozenset(net.makers), 1).size
    found = [best_plan(bundle.graph, bundle.core, way).size for way in ("balanced", "ram")]
    name = model.partition(":")[2] + (f" at {size}" if size else "")
    first, last = (f"{theirs:,}", f"{found[1] / theirs:.2f}") if theirs else ("does not run it", "")
    return f"| {name} | {first} | {whole:,} | {found[0]:,} | {found[1]:,} | {last} |"


def _int8_tflite(model: str, size: int | None, work: Path) -> bytes:
    """Their usual way: a float file from the model, then static int8 by AI Edge Quantizer."""
    from ai_edge_quantizer import quantizer, recipe

    from edgevit.export.api import export

    export(model, target="android", format="tflite", output=work / "float", weights="random", input_size=size, channels_last=True)  # fmt: skip
    manifest = json.loads((work / "float" / "edgevit.json").read_text())
    floating = str(work / "float" / manifest["artifact"])
    made = quantizer.Quantizer(floating, recipe.static_wi8_ai8())
    rng = np.random.default_rng(0)
    from ai_edge_litert.interpreter import Interpreter

    plain = Interpreter(floating)
    (signature, names) = next(iter(plain.get_signature_list().items()))
    shape = plain.get_input_details()[0]["shape"]
    samples = [{names["inputs"][0]: rng.standard_normal(shape).astype(np.float32)} for _ in range(4)]  # fmt: skip
    calibrated = made.calibrate({signature: samples})
    return _with_weights_inside(bytes(made.quantize(calibrated).quantized_model))


def _with_weights_inside(model: bytes) -> bytes:
    """Large files have their weights behind the flatbuffer, where TFLM does not look: it would put them in the arena."""
    from ai_edge_litert.tools import flatbuffer_utils

    found = flatbuffer_utils.read_model_from_bytearray(bytearray(model))
    return bytes(flatbuffer_utils.convert_object_to_bytearray(found))


def _smallest_arena(model: bytes) -> int | None:
    from tflite_micro.python.tflite_micro import runtime

    def runs(size: int) -> bool:
        try:
            interpreter = runtime.Interpreter.from_bytes(model, arena_size=size)
            detail = interpreter.get_input_details(0)
            interpreter.set_input(np.zeros(detail["shape"], detail["dtype"]), 0)
            interpreter.invoke()
        except RuntimeError:
            return False
        return True

    return _least(runs)


def _least(runs: Callable[[int], bool]) -> int | None:
    with _silent():
        low, high = 0, _LARGEST
        if not runs(high):
            return None
        while high - low > _GRAIN:
            middle = (low + high) // 2
            low, high = (low, middle) if runs(middle) else (middle, high)
        return high


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """TFLM writes about every arena that is too small."""
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)


if __name__ == "__main__":
    main()
