"""Arguments of one operation, read by MIL parameter name and checked for their type."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from edgevit.backends.coreml.check.program import NamedType, Value


class NotInterpretedError(Exception):
    """Unsupported form of an operation; the message is the reason shown to the user."""


class Arguments:
    def __init__(
        self, values: Mapping[str, Value], outputs: tuple[NamedType, ...], opset: int
    ) -> None:
        self.values = values
        self.outputs = outputs
        self.opset = opset

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def tensor(self, name: str) -> Tensor:
        value = self.values.get(name)
        if not isinstance(value, Tensor):
            raise NotInterpretedError(
                f"`{name}` is not a tensor" if name in self.values else f"`{name}` is not given"
            )
        return value

    def maybe(self, name: str) -> Tensor | None:
        return self.tensor(name) if name in self.values else None

    def tensors(self, name: str) -> list[Tensor]:
        value = self.values.get(name, ())
        items = value if isinstance(value, tuple) else (value,)
        return [item for item in items if isinstance(item, Tensor)]

    def ints(self, name: str, default: list[int] | None = None) -> list[int]:
        if name not in self.values and default is not None:
            return default
        return [int(n) for n in self.tensor(name).reshape(-1).tolist()]

    def integer(self, name: str, default: int | None = None) -> int:
        if name not in self.values and default is not None:
            return default
        return int(self.tensor(name).item())

    def number(self, name: str, default: float | None = None) -> float:
        if name not in self.values and default is not None:
            return default
        return float(self.tensor(name).item())

    def flag(self, name: str, default: bool = False) -> bool:
        return bool(self.tensor(name).item()) if name in self.values else default

    def text(self, name: str, default: str | None = None) -> str:
        value = self.values.get(name, default)
        if not isinstance(value, str):
            raise NotInterpretedError(f"`{name}` is not given as text")
        return value


Result = Tensor | tuple[Value, ...]
OpFunction = Callable[[Arguments], Result]


def axis_of(axis: int, rank: int) -> int:
    return axis + rank if axis < 0 else axis
