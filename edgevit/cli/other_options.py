"""Options and commands that other tools have, and what edgevit has instead."""

from __future__ import annotations

import argparse

from edgevit.errors import UsageError, nearest

_SHAPES = "shapes are those of the example inputs: --input-size N and --batch N set them"
_INPUTS = "--input-size N and --batch N, or --inputs image=1x3x224x224,mask=1x77:bool"
_NO_OPSET = "the format's own version is written, which its runtime reads"
_SIMPLER = "the graph is always simplified, rule by rule: --without RULE leaves one out"
_INT8 = "--precision int8, with --calibrate FOLDER of pictures"

OPTIONS = {
    "--device": "--target T; `edgevit targets` lists devices",
    "--platform": "--target T; `edgevit targets` lists devices",
    "--board": "--target T; `edgevit targets` lists devices",
    "--backend": "--format F",
    "--runtime": "--format F",
    "--include": "--format F,...",
    "--imgsz": "--input-size N",
    "--img-size": "--input-size N",
    "--img": "--input-size N",
    "--image-size": "--input-size N",
    "--resolution": "--input-size N",
    "--input-shape": _INPUTS,
    "--input-shapes": _INPUTS,
    "--input": _INPUTS,
    "--example-inputs": _INPUTS,
    "--batch-size": "--batch N",
    "--int8": _INT8,
    "--quantize": _INT8,
    "--quantise": _INT8,
    "--quant": _INT8,
    "--half": "--precision fp16",
    "--fp16": "--precision fp16",
    "--fp32": "--precision fp32",
    "--dtype": "--precision P",
    "--compute-precision": "--precision P",
    "--data": "--calibrate FOLDER of pictures",
    "--dataset": "--calibrate FOLDER of pictures, or --evaluate FOLDER of labelled ones",
    "--calibration": "--calibrate FOLDER of pictures",
    "--calibration-data": "--calibrate FOLDER of pictures",
    "--calib": "--calibrate FOLDER of pictures",
    "--pretrained": "--weights pretrained",
    "--checkpoint": "--weights FILE",
    "--ckpt": "--weights FILE",
    "--model": "the model comes first: edgevit export MODEL --target T",
    "--classes": "--labels FILE",
    "--class-names": "--labels FILE",
    "--nhwc": "--channels-last",
    "--dynamic": _SHAPES,
    "--dynamic-axes": _SHAPES,
    "--dynamic-batch": _SHAPES,
    "--opset": _NO_OPSET,
    "--simplify": _SIMPLER,
    "--optimise": "--optimize ram, speed or balanced, for microcontrollers",
    "--nms": "put it in the model's forward: what that computes is exported",
    "--out": "-o DIR",
    "--output-dir": "-o DIR",
    "--save-dir": "-o DIR",
    "--verbose": "--explain shows what each rule did; --debug the traceback of an error",
    "--force": "leave it out: an exported folder is replaced",
    "--overwrite": "leave it out: an exported folder is replaced",
}

COMMANDS = {
    "convert": "export",
    "compile": "export",
    "deploy": "export",
    "build": "export",
    "target": "targets",
    "devices": "targets",
    "device": "targets",
    "list": "targets",
    "benchmark": "profile",
    "bench": "profile",
    "measure": "profile",
    "latency": "profile",
    "test": "verify",
    "validate": "verify",
    "val": "evaluate",
    "eval": "evaluate",
    "accuracy": "evaluate",
    "predict": "forecast",
    "summary": "inspect",
    "show": "open",
    "view": "open",
    "optimize": "tune",
    "search": "tune",
    "install": "doctor",
    "backends": "doctor",
    "formats": "doctor",
    "info": "doctor",
    "version": "--version",
    "help": "--help",
}


def unknown_options(extras: list[str], parser: argparse.ArgumentParser) -> UsageError:
    """Return the error for words that a command does not take, each option with a suggestion."""
    options = [word.partition("=")[0] for word in extras if word.startswith("-")]
    if not options:
        return UsageError(
            f"`{parser.prog}` takes no further word `{extras[0]}`",
            where=" ".join(extras)[:200],
            why="its words are already there, or a word with a space lacks its quotes",
            hint=f"{parser.prog} --help",
        )
    own = [option for action in parser._actions for option in action.option_strings]
    return UsageError(
        f"`{parser.prog}` has no option {' and '.join(f'`{option}`' for option in options)}",
        where=" ".join(extras)[:200],
        why=f"only its own options are taken, whole: `{parser.prog} --help` lists them",
        hint="\n".join(dict.fromkeys(_instead(option, own, parser.prog) for option in options)),
    )


def unknown_command(word: str, commands: list[str]) -> UsageError:
    other = COMMANDS.get(word.lower())
    close = [other] if other else nearest(word, commands, 2)
    return UsageError(
        f"no command is called `{word}`",
        where=f"edgevit {word}",
        why=f"commands: {', '.join(commands)}",
        hint=" or ".join(f"edgevit {name}" for name in close) or "edgevit --help",
    )


def _instead(option: str, own: list[str], prog: str) -> str:
    name = option.lower().replace("_", "-")
    if name in own:
        return f"did you mean `{name}`?"
    if name in OPTIONS:
        return f"for {option}: {OPTIONS[name]}"
    close = [o for o in own if o.startswith(name) and len(name) > 3] or nearest(name, own, 2)
    return f"did you mean {' or '.join(f'`{o}`' for o in close)}?" if close else f"{prog} --help"
