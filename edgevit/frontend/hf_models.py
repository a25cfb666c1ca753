from __future__ import annotations

from edgevit.frontend.request import Request
from edgevit.frontend.source import ModelSource


def takes(spec: str) -> bool:
    return False
def build(request: Request) -> ModelSource:
    raise NotImplementedError
