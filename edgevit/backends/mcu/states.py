"""States of a network that is called again and again: inputs that are an output of the call before.

forward(x, h) -> y, h_next        --state h=h_next        the firmware takes x and returns y, and keeps h
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from edgevit.errors import UsageError, suggest
from edgevit.graph.program import Inputs, Program, value


def with_states(program: Program, pairs: Sequence[str]) -> Program:
    """Return the program that knows its states, written `input=output` by names or places."""
    states = tuple(sorted(_state(program, pair) for pair in pairs))
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
    return replace(program, states=states)


def _state(program: Program, pair: str) -> tuple[int, int]:
    before, separator, after = pair.partition("=")
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
    return place, output


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
    """Return the runs as one call after another: states begin as zeros, and are what the model made of the run before."""
    if not program.states:
        return tuple(runs)
    states = [torch.zeros_like(program.inputs[place]) for place, _ in program.states]
    sequence: list[Inputs] = []
    for run in runs:
        inputs = list(run)
        for (place, _), state in zip(program.states, states, strict=True):
            inputs[place] = state
        sequence.append(tuple(inputs))
        outputs = program.run(sequence[-1])
        states = [outputs[after] for _, after in program.states]
    return tuple(sequence)
