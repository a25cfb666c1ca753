"""Frontend: from a model spec (`timm:shvit_s1`, `model.py:build`) to a captured program."""

from typing import TYPE_CHECKING

from edgevit.support.face import lazy_face

if TYPE_CHECKING:
    from edgevit.frontend.array_file import NoArraysError, read_arrays
    from edgevit.frontend.capture import capture
    from edgevit.frontend.images import random_images
    from edgevit.frontend.options import ModelOptions
    from edgevit.frontend.rebuild import build_source, rebuild
    from edgevit.frontend.reference import eager, run_others
    from edgevit.frontend.request import Request, Scheme, file_safe
    from edgevit.frontend.source import ModelSource, Preprocess
    from edgevit.frontend.user_code import blamed_on_user

__all__ = [
    "ModelOptions",
    "ModelSource",
    "NoArraysError",
    "Preprocess",
    "Request",
    "Scheme",
    "blamed_on_user",
    "build_source",
    "capture",
    "eager",
    "file_safe",
    "random_images",
    "read_arrays",
    "rebuild",
    "run_others",
]

lazy_face(
    __name__,
    {
        "array_file": ("NoArraysError", "read_arrays"),
        "capture": ("capture",),
        "images": ("random_images",),
        "options": ("ModelOptions",),
        "rebuild": ("build_source", "rebuild"),
        "reference": ("eager", "run_others"),
        "request": ("Request", "Scheme", "file_safe"),
        "source": ("ModelSource", "Preprocess"),
        "user_code": ("blamed_on_user",),
    },
)
