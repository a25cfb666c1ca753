"""Command line: parse arguments, call the pipeline, print. Imports nothing heavy."""

from __future__ import annotations

import argparse
import gc
import json
import os
import signal
import sys
from collections.abc import Sequence
from functools import partial

from edgevit import __version__
from edgevit.cli import export as commands
from edgevit.cli.check import add_check
from edgevit.cli.evaluate import add_evaluate
from edgevit.cli.forecast import add_forecast
from edgevit.cli.measure import add_history, add_profile
from edgevit.cli.parser import Parser
from edgevit.cli.plan import add_plan
from edgevit.cli.report import add_report
from edgevit.cli.sweep import add_sweep
from edgevit.cli.trust import add_trust
from edgevit.cli.tune import add_tune
from edgevit.errors import BackendRuntimeError, EdgevitError, InternalError, report_it
from edgevit.support import option_values as values
from edgevit.support.bug_report import attach_report
from edgevit.support.stdout import answers, only_answers
from edgevit.support.terminal import show

MODEL_HELP = (
    "timm:NAME, hf:NAME, zoo:FAMILY-SIZES, FILE.py:CALLABLE, PACKAGE.MODULE:CALLABLE or FILE.pt2"
)

# A model is many small long-lived objects: default thresholds spend a tenth of an export in the GC.
COLLECT_RARELY = (20_000, 20, 20)


def main(argv: Sequence[str] | None = None) -> int:
    gc.set_threshold(*COLLECT_RARELY)
    words = list(sys.argv[1:] if argv is None else argv)
    as_json, debug = "--json" in words, "--debug" in words
    with only_answers(as_json):
        try:
            values.require_plain(words)
            options = _parser().parse_args(words)
            return _run(options)
        except EdgevitError as error:
            if debug:
                raise
            return _fail(error, as_json)
        except KeyboardInterrupt:
            return 130
        except BrokenPipeError:
            # nothing more to say at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), answers().fileno())
            return 141
        except Exception as error:
            if debug:
                raise
            why = f"{type(error).__name__}: {error}"
            bug = InternalError(
                "something in edgevit broke", why=why, hint="see where with --debug"
            )
            bug.__cause__ = error
            return _fail(bug, as_json)


def _run(options: argparse.Namespace) -> int:
    """Run the command. Exceptions from the user's own code are reported as such."""
    try:
        return options.run(options)
    except (EdgevitError, KeyboardInterrupt, BrokenPipeError):
        raise
    except BaseException as error:
        from edgevit.frontend import blamed_on_user

        blame = blamed_on_user(error)
        if blame is None:
            raise
        raise blame from error


def _fail(error: EdgevitError, as_json: bool) -> int:
    if isinstance(error, InternalError):
        attach_report(error)
    if as_json:
        show(json.dumps(error.as_dict()))
    show(error, file=sys.stderr)
    return error.exit_code


def died(number: int) -> int:
    """Report a worker process ended by signal `number`, and return the exit code."""
    name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
    memory = ", which is how a system out of memory ends it" if name == "SIGKILL" else ""
    error = BackendRuntimeError(
        "the command died",
        where=" ".join(["edgevit", *sys.argv[1:3]]),
        why=f"its process was ended by {name}{memory}",
        hint="a damaged file, a converter or a lack of memory can do that; "
        f"if it dies again, {report_it()}",
    )
    return _fail(error, "--json" in sys.argv)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="edgevit",
        description="A PyTorch vision model in; what runs on the device out, verified to compute the same thing.",
        epilog="example: edgevit export timm:shvit_s1 --target iphone",
    )
    parser.add_argument("--version", action="version", version=f"edgevit {__version__}")
    verbs = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_export(verbs)
    _add_inspect(verbs)
    _add_verify(verbs)
    add_evaluate(partial(_command, verbs))
    add_profile(partial(_command, verbs))
    add_history(partial(_command, verbs))
    _add_matrix(verbs)
    _add_run(verbs)
    _add_simulate(verbs)
    add_check(partial(_command, verbs))
    add_report(partial(_command, verbs))
    add_forecast(partial(_command, verbs), _add_model, commands._model_options)
    add_tune(partial(_command, verbs), _add_model, commands._model_options)
    add_sweep(partial(_command, verbs))
    targets = _command(verbs, "targets", commands.run_targets, "the devices that edgevit knows")
    targets.add_argument(
        "name", nargs="?", metavar="NAME", help="a target, an alias, or a .toml file"
    )
    _command(
        verbs,
        "doctor",
        commands.run_doctor,
        "which backends and tools are there, and how to get the others",
    )
    return parser


def _command(verbs: argparse._SubParsersAction, name: str, run: object, text: str) -> Parser:
    parser = verbs.add_parser(name, help=text, description=text)
    parser.set_defaults(run=run)
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object and nothing else"
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def _add_export(verbs: argparse._SubParsersAction) -> None:
    parser = _command(
        verbs, "export", commands.run_export, "turn a model into a checked artifact for a device"
    )
    parser.when_used(_add_export_words)


def _add_export_words(parser: argparse.ArgumentParser) -> None:
    from edgevit.cli.backend_words import add_backend_words

    _add_model(parser)
    parser.add_argument(
        "--target", required=True, metavar="T", help="a device: see `edgevit targets`"
    )
    parser.add_argument(
        "-o", "--output", metavar="DIR", help="where to (default: out/MODEL-TARGET)"
    )
    parser.add_argument(
        "--format",
        type=values.words,
        metavar="F,...",
        help="of the target's formats (default: its first); several share the front half, a folder each",
    )
    parser.add_argument(
        "--precision", metavar="P", help="one of the target's precisions (default: its first)"
    )
    parser.add_argument(
        "--require-delegated",
        action="store_true",
        help="an op outside the runtime's accelerated part is an error",
    )
    parser.add_argument(
        "--require-ane",
        action="store_true",
        help="an op predicted to run off the Neural Engine is an error (Core ML)",
    )
    add_backend_words(parser)
    add_plan(parser)
    parser.add_argument(
        "--explain", action="store_true", help="say where each rule fired or declined, and why"
    )


def _add_run(verbs: argparse._SubParsersAction) -> None:
    parser = _command(
        verbs, "run", commands.run_run, "build exported firmware and run it on an emulated core"
    )
    parser.add_argument("folder", metavar="DIR", help="what `export -o` wrote")
    parser.add_argument(
        "--core", metavar="C", help="another core than the target's: m0plus ... rv32"
    )
    parser.add_argument("--toolchain", default="zig", metavar="T", help="zig (default) or gcc")
    parser.add_argument(
        "--emulator", metavar="E", help="unicorn or qemu (default: the first that can)"
    )
    add_trust(parser)


def _add_simulate(verbs: argparse._SubParsersAction) -> None:
    parser = _command(
        verbs, "simulate", commands.run_simulate, "run the integer model of exported firmware here"
    )
    parser.add_argument("folder", metavar="DIR", help="what `export -o` wrote")
    parser.add_argument("--input", metavar="FILE", help="an .npy (default: the input it was exported with)")  # fmt: skip
    parser.add_argument("--output", metavar="FILE", help="write the outputs to this .npz")


def _add_inspect(verbs: argparse._SubParsersAction) -> None:
    parser = _command(
        verbs, "inspect", commands.run_inspect, "show the graph, and what would be rewritten"
    )
    parser.when_used(_add_inspect_words)


def _add_inspect_words(parser: argparse.ArgumentParser) -> None:
    from edgevit.cli.backend_words import add_backend_words

    _add_model(parser)
    parser.add_argument(
        "--target", metavar="T", help="with this device's rules (default: those all share)"
    )
    parser.add_argument(
        "--graph", action="store_true", help="print the rewritten graph, a line a node"
    )
    add_backend_words(parser)


def _add_verify(verbs: argparse._SubParsersAction) -> None:
    parser = _command(
        verbs, "verify", commands.run_verify, "check an exported folder again, without the model"
    )
    parser.add_argument("folders", nargs="+", metavar="DIR", help="what `export -o` wrote")
    add_trust(parser)


def _add_matrix(verbs: argparse._SubParsersAction) -> None:
    parser = _command(
        verbs,
        "matrix",
        commands.run_matrix,
        "every format of a target against PyTorch on this machine: parity, size, time, latency",
    )
    parser.add_argument("models", nargs="+", metavar="MODEL", help=MODEL_HELP)
    parser.add_argument(
        "--targets", nargs="+", default=["linux-x86"], metavar="T", help="(default: linux-x86)"
    )
    parser.add_argument(
        "--format", type=values.words, metavar="F,...", help="(default: all of the target's)"
    )
    parser.add_argument(
        "-o", "--output", default="out/matrix", metavar="DIR", help="(default: out/matrix)"
    )
    parser.add_argument(
        "--threads", type=values.threads, default=0, metavar="N", help="(default: as many as cores)"
    )
    parser.add_argument(
        "--rounds", type=values.count, default=20, metavar="N", help="(default: 20)"
    )
    parser.add_argument("--keep", action="store_true", help="leave the artifacts in DIR")
    parser.add_argument(
        "--fresh", action="store_true", help="measure again what DIR already has figures of"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    group = parser.add_argument_group("the model")
    group.add_argument(
        "--weights", metavar="W", help="random, pretrained, or a .safetensors / state-dict file"
    )
    group.add_argument("--input-size", type=values.size, metavar="N", help="N or HxW pixels")
    group.add_argument(
        "--batch", type=values.batch, default=1, metavar="N", help="images at a time (default: 1)"
    )
    group.add_argument(
        "--seed", type=values.seed, default=0, metavar="N", help="of random weights and inputs"
    )
    group.add_argument(
        "--image-input",
        action=argparse.BooleanOptionalAction,
        help="take 0-255 pixels; fold preprocessing in (default: for microcontrollers)",
    )
    group.add_argument(
        "--channels-last", action="store_true", help="take and return NxHxWxC instead of NxCxHxW"
    )
    group.add_argument(
        "--mean", type=values.numbers, metavar="A,B,C", help="preprocessing: mean, in 0-1"
    )
    group.add_argument(
        "--std", type=values.numbers, metavar="A,B,C", help="preprocessing: deviation, in 0-1"
    )
    group.add_argument("--labels", metavar="FILE", help="class labels, one a line")
    group.add_argument(
        "--trust", action="store_true", help="run code found in weight files and .pt2 archives"
    )
    parser.add_argument(
        "--without", action="append", default=[], metavar="RULE", help="leave a rule out"
    )
    parser.add_argument(
        "--lossy",
        action="append",
        default=[],
        metavar="NAME[=V],...",
        help="change what the model computes, by name, and say how far; `--lossy help` lists them",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")
