"""Export options for a microcontroller."""

from __future__ import annotations

from dataclasses import dataclass

from edgevit.support import option_values as values
from edgevit.support.backend_options import BackendOptions, OptionsInfo, Word
from edgevit.support.choice import Choice
from edgevit.support.shape import Flag, Listing, Text, WholeNumber

AUTO = "auto"  # 16 bits where 8 fail the held-out pictures


@dataclass(frozen=True)
class FirmwareOptions(BackendOptions):
    residual: str = AUTO
    scheme: str = "exact"  # how softmax and GELU tables are computed: or "i-vit"
    optimize: str = "balanced"
    max_ram: int | None = None  # bytes
    tile: int | None = None  # rows that a loop takes at a time; None: as the search finds
    exits: bool = False  # calls that stop at the first exit that is sure
    # inputs that are an output of the call before: "input=output", or a buffer's name
    state: tuple[str, ...] = ()
    weights_as: str = "c"  # or "object", "binary", "binary@ADDRESS", "streamed"

    @property
    def kept_buffers(self) -> tuple[str, ...]:
        return tuple(word for word in self.state if "=" not in word)

    @property
    def state_pairs(self) -> tuple[str, ...]:
        return tuple(word for word in self.state if "=" in word)


CHOICES = (
    Choice(
        "tile",
        ("auto", "1", "2", "4", "6", "8", "12", "16", "24", "32", "64"),
        "auto",
        "more rows at a time are fewer calls of kernels and larger buffers between them",
    ),
    Choice(
        "optimize",
        ("balanced", "ram", "speed"),
        "balanced",
        "values kept whole are made once; streamed ones take less RAM and may be made again",
    ),
    Choice(
        "residual",
        (AUTO, "int8", "int16"),
        AUTO,
        "a stream of 16 bits is nearer to the model, and takes twice the RAM",
    ),
)


def _pairs(text: str) -> tuple[str, ...]:
    return tuple(values.words(text))


_WORDS = (
    Word(
        "residual",
        Text((AUTO, "int8", "int16")),
        "T",
        "Type of the residual stream: int8, int16, or int16 where int8 fails on held-out pictures [default: auto].",
    ),
    Word(
        "scheme",
        Text(("exact", "i-vit")),
        "S",
        "Softmax and GELU: exact, or i-vit's shifts [default: exact].",
    ),
    Word(
        "optimize",
        Text(("balanced", "ram", "speed")),
        "W",
        "What to optimise: ram, balanced or speed [default: balanced].",
    ),
    Word(
        "max_ram",
        WholeNumber(1, 1 << 32),
        "N",
        "Limit of the arena in bytes, such as 20K [default: the target's RAM].",
        values.memory,
    ),
    Word("tile", WholeNumber(1, 1 << 16), parse=int),
    Word(
        "exits",
        Flag(),
        help="The model returns the logits of several exits: write calls that stop at the first that is sure.",
    ),
    Word(
        "state",
        Listing(Text()),
        "IN=OUT",
        "Inputs that keep an output of the call before, by names or places: h=h_next or 1=1,2=2; they begin as zeros, or as stated: h=h_next@0.5. "
        "A name alone is a buffer that forward changes, and `all` is all of those. They stay in the arena.",
        _pairs,
    ),
    Word(
        "weights_as",
        Text(
            pattern="c|object|streamed|binary(@(0x)?[0-9a-fA-F]{1,8})?",
            rule="c, object, binary[@ADDRESS] or streamed",
        ),
        "F",
        "How weights are stored: c, object, binary[@ADDRESS] or streamed [default: c].",
    ),
)
OPTIONS = OptionsInfo(
    FirmwareOptions,
    _WORDS,
    heading="for microcontrollers",
    choices=CHOICES,
    table="firmware",
    ram_limit="max_ram",
)
