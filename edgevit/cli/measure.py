"""`edgevit profile` and `edgevit history`: arguments and printed output."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable

from edgevit.cli.trust import add_trust
from edgevit.support import option_values as values
from edgevit.support.terminal import show

Command = Callable[[str, Callable[..., int], str], argparse.ArgumentParser]


def add_profile(command: Command) -> None:
    parser = command(
        "profile", run_profile, "measure here or on a device; several are compared interleaved"
    )
    parser.add_argument(
        "paths", nargs="+", metavar="DIR", help="an exported folder, or a .pte/.tflite/.onnx/.so"
    )
    parser.add_argument(
        "--on",
        default="local",
        metavar="R",
        help="local (default), emulator, ssh://user@host, adb[:serial], serial:/dev/tty..., "
        "tvm://tracker:port/key, mac, iphone",
    )
    parser.add_argument(
        "--threads", type=values.threads, default=0, metavar="N", help="(default: as many as cores)"
    )
    parser.add_argument(
        "--rounds", type=values.count, default=20, metavar="N", help="(default: 20)"
    )
    parser.add_argument("--warmup", type=values.count, default=3, metavar="N", help="(default: 3)")
    parser.add_argument(
        "--limit",
        type=values.count,
        default=600,
        metavar="S",
        help="seconds until a hung run is killed",
    )
    parser.add_argument("--ops", action="store_true", help="a table of ops, by the own profiler")
    parser.add_argument("--eager", action="store_true", help="the model in PyTorch as well")
    add_trust(parser)
    _add_store(parser)
    parser.add_argument("--no-store", action="store_true", help="leave the store alone")
    parser.add_argument(
        "--fresh", action="store_true", help="measure again what the store already has"
    )
    group = parser.add_argument_group("firmware")
    group.add_argument("--core", metavar="CORE", help="emulator: another core than the folder's")
    group.add_argument("--toolchain", default="zig", metavar="T", help="emulator: zig or gcc")
    group.add_argument("--emulator", metavar="E", help="emulator: unicorn or qemu")
    group.add_argument("--flash", metavar="TOOL", help="serial: pyocd, openocd or esptool, first")
    group.add_argument("--elf", metavar="FILE", help="serial: the self-test to flash")
    group.add_argument("--chip", metavar="NAME", help="serial: the board, as that tool calls it")
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")


def add_history(command: Command) -> None:
    parser = command("history", run_history, "what was measured so far, and two figures compared")
    parser.add_argument("--model", metavar="M", help="only figures of models called so, in part")
    parser.add_argument("--device", metavar="D", help="only figures of devices called so, in part")
    parser.add_argument(
        "--last", type=values.count, default=50, metavar="N", help="the newest N (default: 50)"
    )
    parser.add_argument(
        "--compare", nargs=2, metavar=("A", "B"), help="two figures, by their numbers in the list"
    )
    _add_store(parser)


def _add_store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--store",
        metavar="URL",
        help="a file, or postgresql://... (default: EDGEVIT_STORE, or one in ~/.cache/edgevit)",
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
        progress=None if options.quiet else sys.stderr,
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
