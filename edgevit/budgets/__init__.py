"""Budgets of latency, size, memory and accuracy, and their check for CI."""

from typing import TYPE_CHECKING

from edgevit.support.face import lazy_face

if TYPE_CHECKING:
    from edgevit.budgets.check import Budgets, Check, Here, check
    from edgevit.budgets.report import check_text, checks_dict, junit

__all__ = ["Budgets", "Check", "Here", "check", "check_text", "checks_dict", "junit"]

lazy_face(
    __name__,
    {
        "check": ("Budgets", "Check", "Here", "check"),
        "report": ("check_text", "checks_dict", "junit"),
    },
)
