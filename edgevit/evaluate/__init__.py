"""Accuracy on labelled data: of an exported artifact, and of the programs that it is made of."""

from typing import TYPE_CHECKING

from edgevit.support.face import lazy_face

if TYPE_CHECKING:
    from edgevit.evaluate.accuracy import Accuracy, Run, outputs_of
    from edgevit.evaluate.at_export import ExportAccuracy, LabelledTest
    from edgevit.evaluate.classes import class_count, class_numbers
    from edgevit.evaluate.folder import Evaluation, accuracy_on, evaluate
    from edgevit.evaluate.labelled import Takes, check_labelled, read_labelled
    from edgevit.evaluate.options import EVALUATION, NO_EVALUATION, EvaluationOptions

__all__ = [
    "EVALUATION",
    "NO_EVALUATION",
    "Accuracy",
    "Evaluation",
    "EvaluationOptions",
    "ExportAccuracy",
    "LabelledTest",
    "Run",
    "Takes",
    "accuracy_on",
    "check_labelled",
    "class_count",
    "class_numbers",
    "evaluate",
    "outputs_of",
    "read_labelled",
]

lazy_face(
    __name__,
    {
        "accuracy": ("Accuracy", "Run", "outputs_of"),
        "at_export": ("ExportAccuracy", "LabelledTest"),
        "classes": ("class_count", "class_numbers"),
        "folder": ("Evaluation", "accuracy_on", "evaluate"),
        "labelled": ("Takes", "check_labelled", "read_labelled"),
        "options": ("EVALUATION", "NO_EVALUATION", "EvaluationOptions"),
    },
)
