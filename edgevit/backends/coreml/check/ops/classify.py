"""Last operation of a classifier: the winning label, and the probabilities in label order."""

from __future__ import annotations

from edgevit.backends.coreml.check.ops.arguments import Arguments, NotInterpretedError, OpFunction
from edgevit.backends.coreml.check.program import Value


def classify(a: Arguments) -> tuple[Value, ...]:
    probabilities, classes = a.tensor("probabilities"), a.values.get("classes")
    if not isinstance(classes, tuple) or len(classes) != probabilities.numel():
        raise NotInterpretedError("the list of classes does not match the probabilities")
    return classes[int(probabilities.reshape(-1).argmax())], probabilities


OPS: dict[str, OpFunction] = {"classify": classify}
