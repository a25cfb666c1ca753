"""Calling code for this format's artifacts."""

from __future__ import annotations

from functools import partial

from edgevit.backends import BYTES, Snippet
from edgevit.backends.coreai import INFO
from edgevit.snippets import coreai, python
from edgevit.snippets.templates import TEMPLATES

_RUNTIME = python.Runtime(
    INFO.libraries[0],
    """import asyncio

from coreai.authoring import AIModelAsset
from coreai.runtime import NDArray""",
    """    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.function = self.loop.run_until_complete(self.load())

    async def load(self):
        async with AIModelAsset.load(MODEL).executable() as model:
            return model.load_function("main")

    def __call__(self, *arrays: np.ndarray) -> list[np.ndarray]:
        feeds = {name: NDArray(array) for (name, *_), array in zip(INPUTS, arrays, strict=True)}
        results = self.loop.run_until_complete(self.function(feeds))
        return [np.array(results[name].numpy()) for name, *_ in OUTPUTS]
""",
)
SNIPPETS = (
    Snippet("call.py", TEMPLATES / "python.txt", partial(python.marks, _RUNTIME), BYTES),
    Snippet("Call.swift", TEMPLATES / "coreai.swift.txt", coreai.marks, coreai.SWIFT),
)
