"""Chart of the arena while the loops run: a rectangle per value, x the loops, y the bytes."""

from __future__ import annotations

from pathlib import Path

from edgevit.backends.mcu.board.drawing import Box, Drawing, Label
from edgevit.backends.mcu.schedule.memory import Buffer, aligned
from edgevit.backends.mcu.schedule.plan import Schedule, scratch_name

_WIDTH, _HEIGHT = 1000, 520
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 16, 44, 56
_KEPT = ((78, 121, 167), (89, 161, 79), (176, 122, 161), (156, 117, 95), (118, 183, 178), (225, 87, 89), (128, 115, 172))  # fmt: skip
_STREAMED, _SCRATCH = (242, 190, 110), (186, 186, 186)
_GRID, _INK, _PEAK = (225, 225, 225), (60, 60, 60), (200, 30, 30)


def draw_memory(plan: Schedule, folder: Path) -> None:
    drawing = memory_map(plan)
    (folder / "memory.svg").write_text(drawing.svg())
    (folder / "memory.png").write_bytes(drawing.png())


def memory_map(plan: Schedule) -> Drawing:
    loops = len(plan.walks)
    wide = (_WIDTH - _LEFT - _RIGHT) / max(loops, 1)
    high = (_HEIGHT - _TOP - _BOTTOM) / max(plan.size, 1)
    bottom = _HEIGHT - _BOTTOM
    peak = max(range(loops), key=lambda loop: _alive(plan, loop), default=0)

    def box(buffer: Buffer, index: int) -> Box:
        first, last = buffer.first, min(buffer.last, loops - 1)
        return Box(
            _LEFT + first * wide,
            bottom - buffer.end * high,
            (last + 1 - first) * wide - min(1.0, wide / 4),
            buffer.size * high - min(1.0, buffer.size * high / 4),
            _colour(buffer, index),
            f"{buffer.name}: {buffer.size:,} bytes at {buffer.offset:,}, loops {first} to {last}",
        )

    colours = {
        buffer.name: k for k, buffer in enumerate(b for b in plan.buffers if ":" not in b.name)
    }
    boxes, labels = _axes(plan, wide, high, loops)
    boxes += [box(buffer, colours.get(buffer.name, 0)) for buffer in plan.buffers]
    boxes.append(Box(_LEFT, bottom - plan.size * high - 1, _WIDTH - _LEFT - _RIGHT, 1.5, _PEAK))
    boxes.append(Box(_LEFT + (peak + 0.5) * wide - 0.75, _TOP - 14, 1.5, 14, _PEAK))
    labels.append(Label(_LEFT, _TOP - 26, f"arena {plan.size:,} bytes, the peak is loop {peak}"))
    return Drawing(_WIDTH, _HEIGHT, boxes, labels)


def _alive(plan: Schedule, loop: int) -> int:
    return sum(aligned(b.size) for b in plan.buffers if b.first <= loop <= b.last)


def _colour(buffer: Buffer, index: int) -> tuple[int, int, int]:
    if ":" not in buffer.name:
        return _KEPT[index % len(_KEPT)]
    return _SCRATCH if buffer.name == scratch_name(buffer.first) else _STREAMED


def _axes(plan: Schedule, wide: float, high: float, loops: int) -> tuple[list[Box], list[Label]]:
    bottom, boxes, labels = _HEIGHT - _BOTTOM, [], []
    for size in range(0, plan.size + 1, _step(plan.size)):
        boxes.append(Box(_LEFT, bottom - size * high, _WIDTH - _LEFT - _RIGHT, 0.5, _GRID))
        labels.append(Label(_LEFT - 8, bottom - size * high, f"{size:,}", "end"))
    boxes += [Box(_LEFT - 1, _TOP, 1, bottom - _TOP, _INK), Box(_LEFT - 1, bottom, _WIDTH - _LEFT - _RIGHT, 1, _INK)]  # fmt: skip
    for loop in range(0, loops, _step(loops, parts=12)):
        labels.append(Label(_LEFT + (loop + 0.5) * wide, bottom + 12, str(loop), "middle"))
    labels.append(Label(_LEFT, bottom + 32, "loops, in order"))
    for x, colour, text in ((240, _KEPT[0], "kept, a colour a value"), (430, _STREAMED, "streamed in a loop"), (630, _SCRATCH, "scratch of kernels")):  # fmt: skip
        boxes.append(Box(x, bottom + 27, 10, 10, colour))
        labels.append(Label(x + 16, bottom + 32, text))
    return boxes, labels


def _step(size: int, parts: int = 8) -> int:
    """Return a round step: 1, 2 or 5 times a power of ten."""
    step = 1
    while step * parts < size:
        step = step * 5 // 2 if str(step)[0] == "2" else step * 2
    return step
