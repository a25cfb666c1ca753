"""Words that name a model, build it and feed it: the same for every command that takes one."""

from __future__ import annotations

import argparse

from edgevit.cli.measuring import add_quiet
from edgevit.support import option_values as values

MODEL_HELP = "Model: timm:NAME, torchvision:NAME, hf:NAME, ultralytics:NAME, zoo:FAMILY-SIZES, FILE.py:CALLABLE, PACKAGE.MODULE:CALLABLE or FILE.pt2."


def add_model(parser: argparse.ArgumentParser, several_sizes: bool = False) -> None:
    parser.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    group = parser.add_argument_group("the model")
    group.add_argument(
        "--weights",
        metavar="W",
        help="Weights: random, pretrained, or a .safetensors or state-dict file.",
    )
    group.add_argument(
        "--input-size",
        type=values.sizes if several_sizes else values.size,
        metavar="N,..." if several_sizes else "N",
        help="Size of the image in pixels, N or HxW."
        + " Several get an artifact each, in a folder each; Core ML also one package."
        * several_sizes,
    )
    group.add_argument(
        "--inputs",
        metavar="NAME=SHAPE,...",
        help="Example inputs: image=1x3x224x224,ids=1x77:int64:49408,mask=mask.npy.",
    )
    group.add_argument(
        "--replace",
        metavar="MODULE=P:C,...",
        help="Forwards of modules, computed by functions of yours: blocks.*.scan=fast.py:scan.",
    )
    group.add_argument(
        "--head",
        choices=("native", "split", "keep"),
        default="native",
        help="Split: end the artifact at the last convolution or product, and write what is behind it as Python, C, Swift and Kotlin. "
        "Keep: leave it in the artifact, and say which of its calls leave the accelerator [default: native].",
    )
    group.add_argument(
        "--batch", type=values.batch, default=1, metavar="N", help="Images in a batch [default: 1]."
    )
    group.add_argument(
        "--seed",
        type=values.seed,
        default=0,
        metavar="N",
        help="Seed of random weights and inputs [default: 0].",
    )
    group.add_argument(
        "--image-input",
        action=argparse.BooleanOptionalAction,
        help="Take pixels from 0 to 255, with the preprocessing folded in [default: for microcontrollers].",
    )
    group.add_argument(
        "--channels-last", action="store_true", help="Take and return NxHxWxC instead of NxCxHxW."
    )
    group.add_argument(
        "--mean",
        type=values.numbers,
        metavar="A,B,C",
        help="Mean that preprocessing subtracts, of pixels from 0 to 1.",
    )
    group.add_argument(
        "--std",
        type=values.numbers,
        metavar="A,B,C",
        help="Deviation that preprocessing divides by, of pixels from 0 to 1.",
    )
    group.add_argument("--labels", metavar="FILE", help="File of class labels, one a line.")
    group.add_argument(
        "--trust", action="store_true", help="Run code found in weight files and .pt2 archives."
    )
    parser.add_argument(
        "--without", action="append", default=[], metavar="RULE", help="Leave a rule out."
    )
    parser.add_argument(
        "--lossy",
        action="append",
        default=[],
        metavar="NAME[=V],...",
        help="Apply lossy steps, which change what the model computes; `--lossy help` lists them.",
    )
    add_quiet(parser)
