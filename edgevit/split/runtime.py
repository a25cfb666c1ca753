"""Run a model that is split over devices in a row: one file, needs numpy and the runtime of each part.

On device K:       python run_split.py serve K [--host 0.0.0.0] [--port 7100]
Where inputs are:  python run_split.py run INPUT.npy ... --devices HOST:PORT,HOST:PORT [--timeout 5] [--fallback]

`here` instead of HOST:PORT runs a part in this process, and serial:/dev/ttyACM0 is a board's UART. With --fallback a part whose device does not
answer in time runs here too; without it, that is an error. Floats go over the link as `link` in
split.json says: int8 with the range of each message, or float32.
"""

import argparse
import importlib.util
import json
import math
import os
import select
import socket
import struct
import sys
import threading
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
LONGEST_HEADER, LARGEST_MESSAGE = 1 << 16, 1 << 30


class DeviceLostError(Exception):
    """Device that did not answer in time, or answered nonsense."""


def packed(array, link):
    """Return an array as it goes over the link, and what is needed to read it."""
    array = np.ascontiguousarray(array)
    if link != "int8" or array.dtype.kind != "f":
        return array, {}
    low, high = (float(array.min()), float(array.max())) if array.size else (0.0, 0.0)
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError("a value on the link is not finite")
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / 255 or 1.0
    zero = round(-128 - low / scale)
    steps = np.clip(np.rint(array / np.float32(scale)) + zero, -128, 127)
    return steps.astype(np.int8), {"scale": scale, "zero": zero, "dtype": str(array.dtype)}


def unpacked(array, facts):
    if not facts:
        return array
    steps = array.astype(np.float32) - np.float32(facts["zero"])
    return (steps * np.float32(facts["scale"])).astype(np.dtype(facts["dtype"]))


def on_wire(array, wire):
    """Return an array as a device with scales of its own takes it: integers, in torch's order of axes."""
    if not np.isfinite(array).all():
        raise ValueError("a value on the link is not finite")
    steps = np.floor(array.astype(np.float64) / wire["scale"] + 0.5) + wire["zero"]
    limits = np.iinfo(wire["as"])
    how = {"scale": wire["scale"], "zero": wire["zero"], "dtype": "float32"}
    return np.clip(steps, limits.min, limits.max).astype(wire["as"]), how


def moved(values, wires):
    """Return values in the order of axes of a device's memory."""
    return [
        (np.ascontiguousarray(a.transpose(w["order"])), how)
        for (a, how), w in zip(values, wires, strict=True)
    ]


def moved_back(values, wires):
    return [
        (a.transpose(np.argsort(w["order"])), how)
        for (a, how), w in zip(values, wires, strict=True)
    ]


def encoded(values, wires):
    return [on_wire(unpacked(*value), wire) for value, wire in zip(values, wires, strict=True)]


def computed(run, part, plan, values):
    """Return a part's outputs as they go over the link. The model's own outputs are not rounded."""
    wire = part.get("wire")
    if wire:
        outputs = run(*(unpacked(*value) for value in encoded(values, wire["inputs"])))
        return [
            on_wire(np.asarray(y), one) for y, one in zip(outputs, wire["outputs"], strict=True)
        ]
    outputs = run(*(unpacked(*value) for value in values))
    own = set(plan["outputs"])
    return [
        packed(np.asarray(y), "float32" if name in own else plan["link"])
        for name, y in zip(part["outputs"], outputs, strict=True)
    ]


def send(connection, values):
    facts = [{"shape": a.shape, "as": str(a.dtype), **how} for a, how in values]
    header = json.dumps(facts).encode()
    connection.sendall(struct.pack("<I", len(header)) + header)
    for array, _ in values:
        connection.sendall(array.tobytes())


def receive(connection, shapes, end=math.inf):
    """Read a message of values of these shapes, until a moment. Anything else is not read."""
    (length,) = struct.unpack("<I", _bytes(connection, 4, end))
    if length > LONGEST_HEADER:
        raise ValueError("a header of too many bytes")
    facts = json.loads(_bytes(connection, length, end))
    if [list(one["shape"]) for one in facts] != [list(shape) for shape in shapes]:
        raise ValueError("values of other shapes than the part's")
    values = []
    for one in facts:
        kind = np.dtype(one["as"])
        size = kind.itemsize * math.prod(one["shape"])
        if kind.hasobject or size > LARGEST_MESSAGE:
            raise ValueError("a value that is too large")
        array = np.frombuffer(_bytes(connection, size, end), kind).reshape(one["shape"])
        how = {key: one[key] for key in ("scale", "zero", "dtype")} if "scale" in one else {}
        values.append((array, how))
    return values


def _bytes(connection, count, end):
    pieces = bytearray()
    while len(pieces) < count:
        if end < math.inf:
            connection.settimeout(max(end - time.monotonic(), 0.001))
        piece = connection.recv(min(count - len(pieces), 1 << 20))
        if not piece:
            raise ConnectionError("the other side closed the connection")
        pieces += piece
    return bytes(pieces)


class SerialLine:
    """A board's UART, with the calls of a socket: 115200 baud, 8 bits, no parity."""

    def __init__(self, path):
        import termios  # not on Windows
        import tty

        self._timeout = None
        self._file = os.open(path, os.O_RDWR | os.O_NOCTTY)
        try:
            tty.setraw(self._file)
            settings = termios.tcgetattr(self._file)
            settings[4] = settings[5] = termios.B115200
            termios.tcsetattr(self._file, termios.TCSANOW, settings)
            termios.tcflush(self._file, termios.TCIOFLUSH)
        except termios.error as error:
            raise OSError(f"{path} is no serial line") from error

    def __del__(self):
        if hasattr(self, "_file"):
            os.close(self._file)

    def settimeout(self, seconds):
        self._timeout = seconds

    def sendall(self, data):
        while data:
            data = data[os.write(self._file, data) :]

    def recv(self, count):
        if not select.select([self._file], [], [], self._timeout)[0]:
            raise TimeoutError("timed out")
        return os.read(self._file, count)


def connected(device, timeout):
    """Open the link to a device: HOST:PORT, or serial:PATH."""
    if device.startswith("serial:"):
        return SerialLine(device.removeprefix("serial:"))
    host, _, port = device.rpartition(":")
    return socket.create_connection((host, int(port)), timeout)


class Row:
    """The parts in a row, each `here` or on a device."""

    def __init__(self, folder=HERE, devices=None, timeout=5.0, fallback=False):
        self.folder, self.timeout, self.fallback = Path(folder), timeout, fallback
        self.plan = json.loads((self.folder / "split.json").read_text())
        parts = self.plan["parts"]
        self.devices = list(devices or ["here"] * len(parts))
        if len(self.devices) != len(parts):
            raise SystemExit(
                f"{len(parts)} parts need {len(parts)} devices, {len(self.devices)} given"
            )
        self._sessions, self._connections, self.lost = {}, {}, []

    def __call__(self, *inputs):
        """Return the model's outputs. `seconds` has the time of each part then, its link included."""
        values = {n: packed(x, "float32") for n, x in zip(self.plan["inputs"], inputs, strict=True)}
        self.seconds = []
        for number, part in enumerate(self.plan["parts"]):
            started = time.perf_counter()
            outputs = self._run(number, part, [values[name] for name in part["inputs"]])
            self.seconds.append(time.perf_counter() - started)
            values.update(zip(part["outputs"], outputs, strict=True))
        return [unpacked(*values[name]) for name in self.plan["outputs"]]

    def _run(self, number, part, values):
        if self.devices[number] != "here" and number not in self.lost:
            try:
                return self._ask(number, part, values)
            except (OSError, ValueError, KeyError, TypeError) as error:
                self._connections.pop(number, None)
                why = f"{type(error).__name__}: {error}"
                if not self.fallback:
                    raise DeviceLostError(
                        f"device {number + 1} ({self.devices[number]}): {why}"
                    ) from error
                self.lost.append(number)
                print(f"device {number + 1} is lost ({why}): its part runs here", file=sys.stderr)
        return computed(self._session(number), part, self.plan, values)

    def _ask(self, number, part, values):
        end = time.monotonic() + self.timeout
        connection = self._connections.get(number)
        if connection is None:
            connection = connected(self.devices[number], self.timeout)
            self._connections[number] = connection
        connection.settimeout(self.timeout)
        wire = part.get("wire")
        if not wire:
            send(connection, values)
            return receive(connection, part["output_shapes"], end)
        send(connection, moved(encoded(values, wire["inputs"]), wire["inputs"]))
        shapes = [one["shape"] for one in wire["outputs"]]
        return moved_back(receive(connection, shapes, end), wire["outputs"])

    def _session(self, number):
        if number not in self._sessions:
            self._sessions[number] = open_part(self.folder, self.plan["parts"][number])
        return self._sessions[number]


def open_part(folder, part):
    path = folder / f"session_{part['format']}.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.session(str(folder / part["file"]), part)


def serve(folder, number, host, port):
    """Answer with what a part computes, until the process ends. Its port is printed when it is ready."""
    plan = json.loads((Path(folder) / "split.json").read_text())
    part = plan["parts"][number - 1]
    if part.get("wire"):
        raise SystemExit(f"part {number} is firmware: build and start device_{number}")
    run, one = open_part(Path(folder), part), threading.Lock()

    def answer(connection):
        with connection:
            try:
                while True:
                    values = receive(connection, part["input_shapes"])
                    with one:
                        outputs = computed(run, part, plan, values)
                    send(connection, outputs)
            except ConnectionError:
                pass  # the other side has what it wanted
            except (OSError, ValueError, KeyError, TypeError) as error:
                print(f"a message was refused: {error}", file=sys.stderr, flush=True)

    with socket.create_server((host, port)) as server:
        print(
            f"part {number} of {len(plan['parts'])} on port {server.getsockname()[1]}", flush=True
        )
        while True:
            threading.Thread(target=answer, args=(server.accept()[0],), daemon=True).start()


def main():
    parser = argparse.ArgumentParser(description="Run a model that is split over devices.")
    words = parser.add_subparsers(dest="command", required=True)
    server = words.add_parser("serve")
    server.add_argument("part", type=int)
    server.add_argument("--host", default="127.0.0.1")
    server.add_argument("--port", type=int, default=7100)
    client = words.add_parser("run")
    client.add_argument("inputs", nargs="+")
    client.add_argument("--devices")
    client.add_argument("--timeout", type=float, default=5.0)
    client.add_argument("--fallback", action="store_true")
    options = parser.parse_args()
    if options.command == "serve":
        serve(HERE, options.part, options.host, options.port)
        return
    devices = options.devices.split(",") if options.devices else None
    split = Row(HERE, devices, options.timeout, options.fallback)
    try:
        outputs = split(*(np.load(path) for path in options.inputs))
    except DeviceLostError as error:
        raise SystemExit(f"error: {error}") from error
    for number, (seconds, device) in enumerate(zip(split.seconds, split.devices, strict=True), 1):
        print(f"part {number} on {device}: {seconds * 1e3:.2f} ms")
    for name, output in zip(split.plan["outputs"], outputs, strict=True):
        print(f"{name}: {output.shape}, largest at {int(output.argmax())}")


if __name__ == "__main__":
    main()
