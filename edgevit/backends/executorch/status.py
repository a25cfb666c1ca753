"""Status codes of ExecuTorch's runtime, with their meanings (`executorch/runtime/core/error.h`)."""

from __future__ import annotations

import re

MEANINGS = {
    0x01: "an internal error of the runtime or of a kernel",
    0x02: "called in a state where it cannot be",
    0x03: "there are no more steps in the method",
    0x04: "it is loaded already",
    0x10: "the runtime does not support what the file asks for",
    0x11: "the runtime does not implement what the file asks for",
    0x12: "an argument, shape or offset that the file states is not possible",
    0x13: "a value is of another type than the operation takes",
    0x14: "an operator is missing from this runtime",
    0x15: "the runtime has no room for more kernels",
    0x16: "a kernel is registered twice",
    0x20: "what the file refers to, such as a delegate or a method, is not there",
    0x21: "memory could not be allocated",
    0x22: "a file could not be read",
    0x23: "the program is damaged or not complete",
    0x24: "the weights beside the program are damaged",
    0x25: "a resource is used up",
    0x30: "the delegate does not take its part of the file: damaged, or of another version",
    0x31: "the delegate could not have memory",
    0x32: "the delegate was handed something that is not its own",
}


def explained(said: str) -> str:
    """Append the meaning to a message with a status code such as `error: 0x:12`."""
    code = re.search(r"error:? 0x:?([0-9a-fA-F]+)", said)
    meaning = MEANINGS.get(int(code[1], 16)) if code else None
    return f"{said} ({meaning})" if meaning else said
