"""`call.c`: calling code for firmware, row by row or whole tensors, as its header declares."""

from __future__ import annotations

from math import floor
from pathlib import Path

from edgevit.backends.call_facts import C_TYPES, Facts, count, numbers
from edgevit.backends.mcu.codegen.firmware import FILES, MODEL
from edgevit.backends.snippet import Snippet
from edgevit.quantize import LIMITS


def marks(facts: Facts) -> dict[str, str]:
    header = (facts.folder / facts.file / f"{FILES}.h").read_text()
    prefix = MODEL
    first = facts.outputs[0]
    return {
        "HEADER": f"{FILES}.h",
        "WEIGHTS": _weights(facts),
        "UPPER": prefix.upper(),
        "COUNT_OUT": str(count(first)),
        "ZERO": str(first.zero),
        "SCALE": numbers([first.scale or 0.0]) + "f",
        "FACTS": "\n".join(f" * {line}" for line in facts.lines()),
        "OUTPUT_BUFFERS": "\n".join(
            f"static {C_TYPES[port.dtype]} output_{k}[{count(port)}];" for k, port in enumerate(facts.outputs)
        ),
        "PREPARE": _levels(facts),
        "CALL": _begun(header)
        + (_streamed(facts) if f"{prefix}_push_rows(" in header else _at_once(facts)),
    }  # fmt: skip


def _weights(facts: Facts) -> str:
    """Return the instructions for supplying weights that are not compiled into the code."""
    board = (facts.manifest.get("firmware") or {}).get("board") or {}
    if board.get("weights") == "streamed":
        return "\n * The weights are not in memory: write ev_model_read_weights, as edgevit_model_weights.h asks for it."
    if board.get("weights") == "binary":
        place = board.get("weights_address")
        where = (
            f"{place:#010x}"
            if isinstance(place, int)
            else "the address of EV_MODEL_WEIGHTS_ADDRESS"
        )
        return f"\n * The weights are edgevit_model_weights.bin, to be put at {where}."
    return ""


def _levels(facts: Facts) -> str:
    """Return C code for `prepare_row` and its lookup table from pixels to quantised levels.

    It is computed in double precision, and exactly equals what the model was verified with.
    """
    how = facts.prepare
    if how is None:
        return ""
    image = facts.inputs[0]
    assert image.scale is not None and image.zero is not None
    low, high = LIMITS[image.dtype]
    rows = []
    for c in range(3):
        reals = [pixel * how.scale[c] + how.offset[c] for pixel in range(256)]
        levels = [min(max(floor(x / image.scale + 0.5) + image.zero, low), high) for x in reals]
        rows.append("    {" + ", ".join(map(str, levels)) + "},")
    source = ", ".join(map(str, how.source))
    kind = C_TYPES[image.dtype]
    return "\n".join(
        [
            "",
            "/* What a pixel's red, green or blue of 0-255 is to the model. */",
            f"static const {kind} levels[3][256] = {{",
            *rows,
            "};",
            "",
            f"void prepare_row(const uint8_t *rgb, {kind} *row)",
            "{",
            f"    static const int source[3] = {{{source}}};",
            f"    for (int x = 0; x < {how.width}; x++)",
            "        for (int c = 0; c < 3; c++)",
            "            row[3 * x + c] = levels[c][rgb[3 * x + source[c]]];",
            "}",
            "",
        ]
    )


def _begun(header: str) -> str:
    """Return the function that begins a sequence of calls; nothing for a network without states."""
    if f"{MODEL}_reset_state(" not in header:
        return ""
    return f"""/* Before the first call of a sequence: each call takes over what the one before has left in the arena. */
int begin_sequence(void)
{{
    return {MODEL}_reset_state(arena);
}}

"""


def _streamed(facts: Facts) -> str:
    kind, prefix = C_TYPES[facts.inputs[0].dtype], MODEL
    upper = prefix.upper()
    return f"""/* `next_row` waits for a row of the camera and gives its place; the image is never in memory whole. */
int call(const {kind} *(*next_row)(uint32_t y))
{{
    static {prefix} model;
    void *const outputs[] = {{{", ".join(f"output_{k}" for k in range(len(facts.outputs)))}}};
    int status = {prefix}_begin(&model, arena, sizeof(arena));
    for (uint32_t y = 0; status == EV_OK && y < {upper}_ROWS; y++)
        status = {prefix}_push_rows(&model, next_row(y), 1);
    return status == EV_OK ? {prefix}_finish(&model, outputs) : status;
}}"""


def _at_once(facts: Facts) -> str:
    kinds = [C_TYPES[port.dtype] for port in facts.inputs]
    parameters = ", ".join(f"const {kind} *input_{k}" for k, kind in enumerate(kinds))
    return f"""/* Each input whole, channels last. */
int call({parameters})
{{
    const void *const inputs[] = {{{", ".join(f"input_{k}" for k in range(len(kinds)))}}};
    void *const outputs[] = {{{", ".join(f"output_{k}" for k in range(len(facts.outputs)))}}};
    return {MODEL}_run(inputs, outputs, arena);
}}"""


SNIPPETS = (Snippet("call.c", Path(__file__).with_name("call.c.txt"), marks, ("int8", "int16")),)
