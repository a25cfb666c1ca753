"""`edgevit examples`: commands to begin with."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable

from edgevit.support.terminal import show

EXAMPLES = (
    ("a model of timm for an iPhone", "edgevit export timm:shvit_s1 --target iphone -o out/shvit"),
    ("your own, from net.py", "edgevit export net.py:build --weights best.pt --target android"),
    ("integers, with your pictures", "edgevit export timm:shvit_s1 --target pixel --precision int8 --calibrate photos"),
    ("firmware, run on an emulated core", "edgevit export zoo:kws --target qemu-m4 -o out/kws"),
    ("what would be rewritten, and why", "edgevit inspect timm:shvit_s1 --target iphone"),
    ("look at the report", "edgevit open out/shvit"),
    ("verify again, without the model", "edgevit verify out/shvit"),
    ("latency on this machine, op by op", "edgevit profile out/shvit --ops"),
    ("budgets for CI", "edgevit check out/shvit --max-size 15MB --min-cosine 0.999"),
    ("two exports side by side", "edgevit report out/shvit --against out/other"),
    ("devices, and what is installed", "edgevit targets; edgevit doctor"),
)  # fmt: skip


def add_examples(
    command: Callable[[str, Callable[..., int], str], argparse.ArgumentParser],
) -> None:
    command("examples", run_examples, "Show commands to begin with.")


def run_examples(options: argparse.Namespace) -> int:
    if options.json:
        show(json.dumps({"examples": [{"for": what, "command": line} for what, line in EXAMPLES]}))
    else:
        show("\n".join(f"# {what}\n{line}\n" for what, line in EXAMPLES), end="")
    return 0
