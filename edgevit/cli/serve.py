"""`edgevit serve`: arguments and printed output."""

from __future__ import annotations

import argparse
import json
import socket
from collections.abc import Callable
from functools import partial

from edgevit.cli.measuring import add_quiet
from edgevit.support import option_values as values
from edgevit.support.terminal import show


def add_serve(command: Callable[[str, Callable[..., int], str], argparse.ArgumentParser]) -> None:
    parser = command(
        "serve", run_serve, "Serve an exported page to browsers, and store what they measure."
    )
    parser.add_argument("folder", metavar="DIR", help="Folder that `export` wrote for a browser.")
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="H", help="Address to listen on; 0.0.0.0 lets the network in [default: 127.0.0.1]."
    )  # fmt: skip
    parser.add_argument(
        "--port", type=values.port, default=8000, metavar="N", help="Port, 0 for a free one [default: 8000]."
    )  # fmt: skip
    parser.add_argument(
        "--store", metavar="URL", help="Store of figures [default: the user's own]."
    )
    parser.add_argument("--no-store", action="store_true", help="Keep no figures.")
    add_quiet(parser)


def run_serve(options: argparse.Namespace) -> int:
    from edgevit.measure import StoredFigure, open_store, serve
    from edgevit.support.progress import Stages

    def told(rows: tuple[StoredFigure, ...]) -> None:
        for row in rows:
            if options.json:
                show(json.dumps(row.as_dict()), flush=True)
            else:
                said = f"  {row.value * 1e3:.3g} ms  {row.details['notes'][0]}  {row.device['os']}"
                show(said, flush=True)

    progress = Stages(options.progress)
    page = serve(
        options.folder,
        host=options.host,
        port=options.port,
        store=None if options.no_store else partial(open_store, options.store),
        on_figures=told,
        progress=progress.note,
    )
    progress.clear()
    addresses = [f"http://{name}:{page.port}/" for name in _names(options.host)]
    if options.json:
        show(json.dumps({"addresses": addresses}), flush=True)
    else:
        show("\n".join(f"  at         {address}" for address in addresses), flush=True)
        show("  end        Ctrl+C", flush=True)
    page.wait()
    return 0


def _names(host: str) -> list[str]:
    """Return the names to open: of all addresses, localhost and the one in the network."""
    if host != "0.0.0.0":
        return [host]
    return ["localhost", *_own_address()]


def _own_address() -> list[str]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: it chooses the interface
            return [probe.getsockname()[0]]
        except OSError:
            return []
