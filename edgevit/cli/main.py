"""Command line: parse arguments, call the pipeline, print. Imports nothing heavy."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from functools import partial

from edgevit import __version__
from edgevit.cli import export as commands
from edgevit.cli.bisect import add_bisect
from edgevit.cli.check import add_check
from edgevit.cli.completion import add_completion
from edgevit.cli.evaluate import add_evaluate
from edgevit.cli.examples import add_examples
from edgevit.cli.exits import add_exits
from edgevit.cli.failures import fail, of_ours
from edgevit.cli.forecast import add_forecast
from edgevit.cli.measure import add_history, add_profile
from edgevit.cli.measuring import add_quiet, add_rounds, add_threads
from edgevit.cli.model import MODEL_HELP, add_model
from edgevit.cli.new import add_new
from edgevit.cli.package import add_package
from edgevit.cli.parser import Parser
from edgevit.cli.plan import add_plan
from edgevit.cli.quantize import add_quantize
from edgevit.cli.report import add_open, add_report
from edgevit.cli.search import add_search
from edgevit.cli.serve import add_serve, run_serve
from edgevit.cli.split import add_split
from edgevit.cli.sweep import add_sweep
from edgevit.cli.trust import add_trust
from edgevit.cli.tune import add_tune
from edgevit.errors import EdgevitError
from edgevit.support import option_values as values
from edgevit.support.heartbeat import heard
from edgevit.support.stdout import answers, only_answers
from edgevit.support.terminal import show

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
            return _run(options, words)
        except EdgevitError as error:
            if debug:
                raise
            return fail(error, as_json)
        except KeyboardInterrupt:
            return 130
        except BrokenPipeError:
            # nothing more to say at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), answers().fileno())
            return 141
        except Exception as error:
            if debug:
                raise
            return fail(of_ours(error), as_json)


def _run(options: argparse.Namespace, words: Sequence[str]) -> int:
    """Run the command. Exceptions from the user's own code are reported as such."""
    try:
        return _run_aloud(options, words)
    except (EdgevitError, KeyboardInterrupt, BrokenPipeError):
        raise
    except BaseException as error:
        from edgevit.frontend import blamed_on_user

        blame = blamed_on_user(error)
        if blame is None:
            raise
        raise blame from error


def _run_aloud(options: argparse.Namespace, words: Sequence[str]) -> int:
    """Run the command, which reports its stages on `options.progress`, or None with `--quiet`."""
    options.progress = None
    if getattr(options, "quiet", True) or options.run is run_serve:
        return options.run(options)
    with heard(sys.stderr, f"  {' '.join(words[:2])[:100]}") as options.progress:
        return options.run(options)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="edgevit",
        description="Compile a PyTorch vision model to a device artifact, verified on the example inputs.",
        epilog="example: edgevit export timm:shvit_s1 --target iphone",
    )
    parser.add_argument("--version", action="version", version=f"edgevit {__version__}")
    verbs = parser.add_subparsers(metavar="COMMAND")
    parser.set_defaults(run=partial(_show_help, parser))
    _add_export(verbs)
    _add_inspect(verbs)
    add_quantize(partial(_command, verbs), add_model, commands._model_options)
    add_exits(partial(_command, verbs), add_model, commands._model_options)
    add_split(partial(_command, verbs), add_model, commands._model_options)
    _add_verify(verbs)
    add_bisect(partial(_command, verbs))
    add_evaluate(partial(_command, verbs))
    add_profile(partial(_command, verbs))
    add_history(partial(_command, verbs))
    _add_matrix(verbs)
    _add_run(verbs)
    _add_simulate(verbs)
    add_check(partial(_command, verbs))
    add_report(partial(_command, verbs))
    add_open(partial(_command, verbs))
    add_serve(partial(_command, verbs))
    add_forecast(partial(_command, verbs), add_model, commands._model_options)
    add_tune(partial(_command, verbs), add_model, commands._model_options)
    add_sweep(partial(_command, verbs))
    add_new(partial(_command, verbs))
    add_package(partial(_command, verbs))
    add_search(partial(_command, verbs))
    targets = _command(
        verbs, "targets", commands.run_targets, "List the devices that edgevit has facts of."
    )
    targets.add_argument(
        "name",
        nargs="?",
        metavar="NAME",
        help="Name or alias of a target, or a .toml file [default: list all].",
    )
    _command(
        verbs,
        "doctor",
        commands.run_doctor,
        "Show which backends and tools are installed, and how to install the others.",
    )
    add_examples(partial(_command, verbs))
    add_completion(partial(_command, verbs), parser)
    return parser


def _show_help(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    show(parser.format_help(), end="")
    return 0


def _command(verbs: argparse._SubParsersAction, name: str, run: object, text: str) -> Parser:
    parser = verbs.add_parser(name, help=text, description=text)
    parser.set_defaults(run=run)
    parser.add_argument(
        "--json", action="store_true", help="Print one JSON object and nothing else."
    )
    parser.add_argument("--debug", action="store_true", help="Show the traceback of an error.")
    return parser


def _add_export(verbs: argparse._SubParsersAction) -> None:
    parser = _command(
        verbs,
        "export",
        commands.run_export,
        "Export a model to an artifact for a device, and verify it.",
    )
    parser.when_used(_add_export_words)


def _add_export_words(parser: argparse.ArgumentParser) -> None:
    from edgevit.cli.backend_words import add_backend_words, add_evaluation_words

    add_model(parser, several_sizes=True)
    parser.add_argument(
        "--target",
        required=True,
        metavar="T",
        help="Device to export for; `edgevit targets` lists them.",
    )
    parser.add_argument(
        "-o", "--output", metavar="DIR", help="Folder to write [default: out/MODEL-TARGET]."
    )
    parser.add_argument(
        "--format",
        type=values.words,
        metavar="F,...",
        help="Formats of the target [default: its first]. Several share one capture and get a folder each.",
    )
    parser.add_argument(
        "--precision", metavar="P", help="Precision of the target [default: its first]."
    )
    parser.add_argument(
        "--require-delegated",
        action="store_true",
        help="Fail if the runtime's delegate does not take every op.",
    )
    parser.add_argument(
        "--require-ane",
        action="store_true",
        help="Fail if an op is predicted to run off the Neural Engine (Core ML).",
    )
    parser.add_argument(
        "--require-integer",
        action="store_true",
        help="Fail if a call computes in floats at a precision of integers.",
    )
    add_backend_words(parser)
    add_evaluation_words(parser)
    add_plan(parser)
    parser.add_argument(
        "--explain", action="store_true", help="Show where each rule fired or declined, and why."
    )


def _add_run(verbs: argparse._SubParsersAction) -> None:
    parser = _command(
        verbs, "run", commands.run_run, "Build exported firmware and run it on an emulated core."
    )
    parser.add_argument("folder", metavar="DIR", help="Folder that `export` wrote.")
    parser.add_argument(
        "--core", metavar="C", help="Core to emulate, m0plus to rv32 [default: the target's]."
    )
    parser.add_argument(
        "--toolchain", default="zig", metavar="T", help="Compiler: zig or gcc [default: zig]."
    )
    parser.add_argument(
        "--emulator",
        metavar="E",
        help="Emulator: unicorn or qemu [default: the first that has the core].",
    )
    add_trust(parser)


def _add_simulate(verbs: argparse._SubParsersAction) -> None:
    parser = _command(
        verbs,
        "simulate",
        commands.run_simulate,
        "Run the integer model of exported firmware on this machine.",
    )
    parser.add_argument("folder", metavar="DIR", help="Folder that `export` wrote.")
    parser.add_argument("--input", metavar="FILE", help="Input as .npy [default: the input it was exported with].")  # fmt: skip
    parser.add_argument("--output", metavar="FILE", help="Write the outputs to this .npz.")


def _add_inspect(verbs: argparse._SubParsersAction) -> None:
    parser = _command(
        verbs, "inspect", commands.run_inspect, "Show the graph, and what would be rewritten."
    )
    parser.when_used(_add_inspect_words)


def _add_inspect_words(parser: argparse.ArgumentParser) -> None:
    from edgevit.cli.backend_words import add_backend_words

    add_model(parser)
    parser.add_argument(
        "--target",
        metavar="T",
        help="Device whose rules are applied [default: the rules that all share].",
    )
    parser.add_argument(
        "--graph", action="store_true", help="Print the rewritten graph, one line a node."
    )
    add_backend_words(parser)


def _add_verify(verbs: argparse._SubParsersAction) -> None:
    parser = _command(
        verbs, "verify", commands.run_verify, "Verify an exported folder again, without the model."
    )
    parser.add_argument("folders", nargs="+", metavar="DIR", help="Folder that `export` wrote.")
    add_trust(parser)


def _add_matrix(verbs: argparse._SubParsersAction) -> None:
    parser = _command(
        verbs,
        "matrix",
        commands.run_matrix,
        "Compare every format of a target to PyTorch on this machine: parity, size, time, latency.",
    )
    parser.add_argument("models", nargs="+", metavar="MODEL", help=MODEL_HELP)
    parser.add_argument(
        "--targets",
        nargs="+",
        action=values.Words,
        default=["linux-x86"],
        metavar="T",
        help="Targets to compare, apart or with commas [default: linux-x86].",
    )
    parser.add_argument(
        "--format",
        type=values.words,
        metavar="F,...",
        help="Formats to compare [default: all of the target's].",
    )
    parser.add_argument(
        "-o",
        "--output",
        default="out/matrix",
        metavar="DIR",
        help="Folder to write [default: out/matrix].",
    )
    add_threads(parser)
    add_rounds(parser)
    parser.add_argument(
        "--calibrate",
        default="generated",
        metavar="PATH",
        help="Pictures that int8 chooses its ranges by [default: generated noise].",
    )
    parser.add_argument("--keep", action="store_true", help="Keep the artifacts in DIR.")
    parser.add_argument(
        "--fresh", action="store_true", help="Measure again what DIR already has figures of."
    )
    add_quiet(parser)
