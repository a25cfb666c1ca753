"""`edgevit matrix` on every net of `nets.py`: written to docs/runtimes.md by `make matrix`.

What is measured is kept in out/runtimes/, so an interrupted run goes on where it stopped; --fresh starts over.
TVM's default code for CPUs is slow and takes long to make: the smaller nets go through it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from nets import NETS

from edgevit.matrix.report import matrix_markdown, matrix_text, write_matrix
from edgevit.matrix.run import Matrix, MatrixOptions, matrix

FOLDER = Path("out/runtimes")
FORMATS = ("executorch", "tflite", "onnx")
SMALLER = (
    "shvit_s1", "mobileone_s0", "efficientvit_m0", "efficientvit_b0", "mobilevit_xxs", "mobilevitv2_050", "levit_128s",
    "edgenext_xx_small", "ghostnetv3_050", "convnext_atto", "mobilenetv4_conv_small", "starnet_s1", "pvt_v2_b0",
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("nets", nargs="*", default=NETS)
    parser.add_argument("--output", type=Path, help="write the page here (default: print it)")
    parser.add_argument("--fresh", action="store_true")
    options = parser.parse_args()
    rows, about = [], {}
    for net in options.nets:
        formats = (*FORMATS, "tvm") if net in SMALLER else FORMATS
        how = MatrixOptions(formats=formats, fresh=options.fresh)
        found = matrix(
            [f"timm:{net}"], ["linux-x86"], FOLDER, how, lambda text: print(text, file=sys.stderr)
        )
        rows += found.rows
        about = {**found.about, "versions": about.get("versions", {}) | found.about["versions"]}
    whole = Matrix(tuple(rows), about)
    command = "make matrix: edgevit matrix MODEL... --format executorch,tflite,onnx[,tvm]"
    write_matrix(whole, FOLDER, command)
    if options.output:
        options.output.write_text(matrix_markdown(whole, command))
    print(matrix_text(whole))
    return 0 if whole.passed else 1


if __name__ == "__main__":
    sys.exit(main())
