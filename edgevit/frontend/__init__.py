"""Frontend: from a model spec (`timm:shvit_s1`, `model.py:build`) to a captured program."""

from typing import TYPE_CHECKING

from edgevit.support.face import lazy_face

if TYPE_CHECKING:
    from edgevit.frontend.arguments import ExampleInputs, Model, ModelArguments
    from edgevit.frontend.array_file import NoArraysError, read_arrays
    from edgevit.frontend.capture import capture
    from edgevit.frontend.images import random_images
    from edgevit.frontend.live.source import LIVE
    from edgevit.frontend.options import ModelOptions
    from edgevit.frontend.python_callable import load_object
    from edgevit.frontend.rebuild import build_source, rebuild, require_spec
    from edgevit.frontend.reference import eager, run_others
    from edgevit.frontend.request import Request, Scheme, file_safe
    from edgevit.frontend.source import KeptBuffers, ModelSource, Preprocess
    from edgevit.frontend.split import head_option, with_other_head
    from edgevit.frontend.state_dict_file import load_into, save_weights
    from edgevit.frontend.torch_state import default_torch
    from edgevit.frontend.user_code import blamed_on_user

__all__ = [
    "LIVE",
    "ExampleInputs",
    "KeptBuffers",
    "Model",
    "ModelArguments",
    "ModelOptions",
    "ModelSource",
    "NoArraysError",
    "Preprocess",
    "Request",
    "Scheme",
    "blamed_on_user",
    "build_source",
    "capture",
    "default_torch",
    "eager",
    "file_safe",
    "head_option",
    "load_into",
    "load_object",
    "random_images",
    "read_arrays",
    "rebuild",
    "require_spec",
    "run_others",
    "save_weights",
    "with_other_head",
]

lazy_face(
    __name__,
    {
        "arguments": (
            "ExampleInputs",
            "Model",
            "ModelArguments",
        ),
        "array_file": (
            "NoArraysError",
            "read_arrays",
        ),
        "capture": ("capture",),
        "images": ("random_images",),
        "live.source": ("LIVE",),
        "options": ("ModelOptions",),
        "python_callable": ("load_object",),
        "rebuild": (
            "build_source",
            "rebuild",
            "require_spec",
        ),
        "reference": (
            "eager",
            "run_others",
        ),
        "request": (
            "Request",
            "Scheme",
            "file_safe",
        ),
        "source": (
            "KeptBuffers",
            "ModelSource",
            "Preprocess",
        ),
        "split": ("head_option", "with_other_head"),
        "state_dict_file": ("load_into", "save_weights"),
        "torch_state": ("default_torch",),
        "user_code": ("blamed_on_user",),
    },
)
