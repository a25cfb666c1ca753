"""Accuracy on labelled data: of an exported artifact, and of the programs that it is made of."""

from typing import TYPE_CHECKING

from edgevit.support.face import lazy_face

if TYPE_CHECKING:
    from edgevit.evaluate.accuracy import Accuracy
    from edgevit.evaluate.folder import Evaluation, evaluate

__all__ = ["Accuracy", "Evaluation", "evaluate"]

lazy_face(
    __name__,
    {"accuracy": ("Accuracy",), "folder": ("Evaluation", "evaluate")},
)
