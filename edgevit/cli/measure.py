"""`edgevit profile` and `edgevit history`: arguments and printed output."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable

from edgevit.cli.measuring import add_quiet, add_rounds, add_threads
from edgevit.cli.trust import add_trust
from edgevit.support import option_values as values
from edgevit.support.terminal import show

Command = Callable[[str, Callable[..., int], str], argparse.ArgumentParser]


def add_profile(command: Command) -> None:
    parser = command(
        "profile",
        run_profile,
        "Measure latency here or on a device; several artifacts are measured interleaved.",
    )
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="DIR",
        help="Exported folder, or a .pte, .tflite, .onnx or .so file.",
    )
    parser.add_argument(
        "--on",
        default="local",
        metavar="R",
        help="Where to measure: local, emulator, ssh://user@host, adb[:serial], serial:/dev/tty..., "
        "tvm://tracker:port/key, browser[:runtime], litert-gpu, aihub:device, mac or iphone [default: local].",
    )
    add_threads(parser)
    add_rounds(parser)
    parser.add_argument(
        "--warmup",
        type=values.count,
        default=3,
        metavar="N",
        help="Runs before the first round [default: 3].",
    )
    parser.add_argument(
        "--limit",
        type=values.count,
        default=600,
        metavar="S",
        help="Seconds until a hung run is killed.",
    )
    parser.add_argument(
        "--ops", action="store_true", help="Show a table of ops, by the runtime's profiler."
    )
    parser.add_argument(
        "--eager", action="store_true", help="Measure the model in PyTorch as well."
    )
    add_trust(parser)
    _add_store(parser)
    parser.add_argument("--no-store", action="store_true", help="Neither read nor write the store.")
    parser.add_argument(
        "--fresh", action="store_true", help="Measure again what the store already has."
    )
    group = parser.add_argument_group("firmware")
    group.add_argument("--core", metavar="CORE", help="Core to emulate [default: the folder's].")
    group.add_argument(
        "--toolchain",
        default="zig",
        metavar="T",
        help="Compiler for the emulator: zig or gcc [default: zig].",
    )
    group.add_argument(
        "--emulator",
        metavar="E",
        help="Emulator: unicorn or qemu [default: the first that has the core].",
    )
    group.add_argument(
        "--flash",
        metavar="TOOL",
        help="Flash a board on a serial port first, with pyocd, openocd or esptool.",
    )
    group.add_argument("--elf", metavar="FILE", help="Self-test to flash.")
    group.add_argument("--chip", metavar="NAME", help="Name of the board in the flash tool.")
    add_quiet(parser)


def add_history(command: Command) -> None:
    parser = command(
        "history", run_history, "List the figures that were measured, or compare two of them."
    )
    parser.add_argument(
        "--model", metavar="M", help="Show only figures of models with M in their name."
    )
    parser.add_argument(
        "--device", metavar="D", help="Show only figures of devices with D in their name."
    )
    parser.add_argument(
        "--last",
        type=values.count,
        default=50,
        metavar="N",
        help="Show the newest N figures [default: 50].",
    )
    parser.add_argument(
        "--compare",
        nargs=2,
        metavar=("A", "B"),
        help="Compare two figures, by their numbers in the list.",
    )
    _add_store(parser)


def _add_store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--store",
        metavar="URL",
        help="Store of figures: a file, or postgresql://... [default: EDGEVIT_STORE, or one in ~/.cache/edgevit].",
    )


def run_profile(options: argparse.Namespace) -> int:
    from edgevit.measure import profile, session_dict, session_text

    session = profile(
        options.paths,
        on=options.on,
        threads=options.threads,
        rounds=options.rounds,
        warmup=options.warmup,
        ops=options.ops,
        eager=options.eager,
        limit=float(options.limit),
        trust=options.trust,
        store=options.store,
        no_store=options.no_store,
        fresh=options.fresh,
        core=options.core,
        toolchain=options.toolchain,
        emulator=options.emulator,
        flash=options.flash,
        elf=options.elf,
        chip=options.chip,
        progress=options.progress,
    )
    show(json.dumps(session_dict(session)) if options.json else session_text(session))
    error = session.unkept or session.first_error
    if error is None:
        return 0
    if options.json or error is session.unkept:  # the text above has the others
        show(error, file=sys.stderr)
    return error.exit_code


def run_history(options: argparse.Namespace) -> int:
    from edgevit.measure import compared, compared_text, history_text, open_store

    with open_store(options.store) as store:
        if options.compare:
            comparison = compared(store, options.compare)
            show(json.dumps(comparison.as_dict()) if options.json else compared_text(comparison))
            return 0
        rows = store.rows(model=options.model, device=options.device, last=options.last)
        if options.json:
            show(json.dumps({"store": store.where, "rows": [row.as_dict() for row in rows]}))
        else:
            show(history_text(rows, store.where))
    return 0
