"""`call.py`: calling code for the four Linux formats, which differ in the runtime calls alone."""

from __future__ import annotations

from dataclasses import dataclass

from edgevit.backends import Facts, PortFacts, numbers
from edgevit.support.quoting import python_string


@dataclass(frozen=True)
class Runtime:
    """Runtime-specific part of `call.py`."""

    needs: str  # distribution to install
    opening: str  # import statements
    body: str  # body of the class `Model`


def marks(runtime: Runtime, facts: Facts) -> dict[str, str]:
    return {
        "FACTS": "\n".join(facts.lines()),
        "NEEDS": runtime.needs,
        "IMPORT": runtime.opening,
        "INPUTS": _ports(facts.inputs),
        "OUTPUTS": _ports(facts.outputs),
        "BODY": runtime.body,
        "PREPARE": _prepare(facts),
    }


def _ports(ports: tuple[PortFacts, ...]) -> str:
    rows = [
        f"    ({python_string(port.name)}, {port.shape!r}, {python_string(port.dtype)}),"
        for port in ports
    ]
    return "\n".join(["[", *rows, "]"])


def _prepare(facts: Facts) -> str:
    how = facts.prepare
    if how is None:
        return ""
    flip = "" if how.source == (0, 1, 2) else "[..., ::-1]"
    moved = "values" if how.channels_last else "values.transpose(2, 0, 1)"
    dtype = facts.inputs[0].dtype
    return f'''

def prepare(pixels: np.ndarray) -> np.ndarray:
    """{how.height}x{how.width}x3 of 0-255, RGB -> the input."""
    scale, offset = np.float32([{numbers(how.scale)}]), np.float32([{numbers(how.offset)}])
    values = pixels{flip} * scale + offset
    return np.ascontiguousarray({moved}[None], dtype="{dtype}")
'''
