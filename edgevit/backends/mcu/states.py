"""States of a network that is called again and again: inputs that are an output of the call before.

forward(x, h) -> y, h_next        --state h=h_next        the firmware takes x and returns y, and keeps h
forward(x) -> y, with a buffer h  --state h               the same: the buffer has become an input and an output

A sequence begins with zeros, with a buffer as the model has it, or with what is stated: --state h=h_next@0.5, h=h_next@first.npy
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np
import torch

from edgevit.errors import UsageError, suggest
from edgevit.frontend import KeptBuffers
from edgevit.graph.program import Inputs, Program, value

# Places of the input and of the output, and the first value.
_State = tuple[tuple[int, int], torch.Tensor]


def with_states(
    program: Program, pairs: Sequence[str], buffers: KeptBuffers | None = None
) -> Program:
    """Return the program that knows its states: pairs `input=output` by names or places, and kept buffers behind all others."""
    begun = [*(_state(program, pair) for pair in pairs), *_kept(program, buffers)]
    begun.sort(key=lambda one: one[0])
    states = tuple(places for places, _ in begun)
    for side, kind in enumerate(("input", "output")):
        places = [state[side] for state in states]
        twice = next((place for place in places if places.count(place) > 1), None)
        if twice is not None:
            raise _refused(
                ",".join(pairs), f"{kind} {twice} is there twice", "name each input and output once"
            )
    if states and len(states) == len(program.inputs):
        raise _refused(
            ",".join(pairs),
            "every input is a state",
            "leave out the input that a call is about",
        )
    if states and len(states) == len(program.outputs()):
        raise _refused(
            ",".join(pairs), "every output is a state", "let `forward` return a result as well"
        )
    return replace(program, states=states, initial=tuple(first for _, first in begun))


def _kept(program: Program, buffers: KeptBuffers | None) -> list[_State]:
    if buffers is None:
        return []
    count = len(buffers.paths)
    inputs, outputs = len(program.inputs) - count, len(program.outputs()) - count
    return [((inputs + k, outputs + k), first) for k, first in enumerate(buffers.inputs)]


def _state(program: Program, pair: str) -> _State:
    before, separator, after = pair.partition("=")
    after, _, first = after.partition("@")
    if not separator:
        raise _refused(pair, "it is no pair", "write INPUT=OUTPUT, such as h=h_next or 1=1")
    place = _place(pair, before, "input", program.input_names)
    output = _place(pair, after, "output", program.output_names)
    one, other = program.inputs[place], value(program.outputs()[output])
    if one.shape != other.shape or one.dtype != other.dtype:
        raise _refused(
            pair,
            f"input `{before}` is {_described(one)}, output `{after}` is {_described(other)}",
            "let `forward` return the next state in the shape and type of the state",
        )
    return (place, output), _first(pair, first, one)


def _first(pair: str, text: str, state: torch.Tensor) -> torch.Tensor:
    """Return what a state is before the first call: zeros, a number everywhere, or the array of a file."""
    with suppress(ValueError):
        return torch.full_like(state, float(text or 0))
    try:
        array = torch.from_numpy(np.load(text, allow_pickle=False)).to(state.dtype)
    except (OSError, ValueError, TypeError) as error:
        raise _refused(
            pair, f"`{text}` is no number and no .npy file: {error}", "h=h_next@0.5, or h=h_next@first.npy"
        ) from error  # fmt: skip
    if array.shape != state.shape:
        raise _refused(
            pair,
            f"{text} is {_described(array)}, the state is {_described(state)}",
            "save an array of the state's shape",
        )
    return array


def _place(pair: str, word: str, kind: str, names: Sequence[str]) -> int:
    if word in names:
        return names.index(word)
    if word.isdecimal() and int(word) < len(names):
        return int(word)
    listed = ", ".join(f"{name} ({place})" for place, name in enumerate(names))
    raise _refused(
        pair,
        f"there is no {kind} `{word}`: the {kind}s are {listed}",
        suggest(word, names) or "write INPUT=OUTPUT",
    )


def _described(tensor: torch.Tensor) -> str:
    sizes = "x".join(map(str, tensor.shape))
    return f"{sizes} {str(tensor.dtype).removeprefix('torch.')}"


def _refused(pair: str, why: str, hint: str) -> UsageError:
    return UsageError(f"`{pair}` is no state of this model", where="--state", why=why, hint=hint)


def in_sequence(program: Program, runs: Sequence[Inputs]) -> tuple[Inputs, ...]:
    """Return the runs as one call after another: states begin as stated, and are what the model made of the run before."""
    if not program.states:
        return tuple(runs)
    states = list(program.initial)
    sequence: list[Inputs] = []
    for run in runs:
        inputs = list(run)
        for (place, _), state in zip(program.states, states, strict=True):
            inputs[place] = state
        sequence.append(tuple(inputs))
        outputs = program.run(sequence[-1])
        states = [outputs[after] for _, after in program.states]
    return tuple(sequence)
