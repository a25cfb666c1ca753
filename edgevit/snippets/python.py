"""`call.py`: the same for the four formats that run on Linux, but for how the runtime is opened and asked."""

from __future__ import annotations

from edgevit.snippets.facts import Facts, numbers
from edgevit.snippets.ports import PortFacts
from edgevit.support.quoting import python_string

_RUNTIMES = {
    "onnx": (
        "onnxruntime",
        "import onnxruntime",
        """    def __init__(self) -> None:
        self.session = onnxruntime.InferenceSession(str(MODEL), providers=["CPUExecutionProvider"])

    def __call__(self, *arrays: np.ndarray) -> list[np.ndarray]:
        return self.session.run(None, {name: array for (name, *_), array in zip(INPUTS, arrays, strict=True)})
""",
    ),
    "tflite": (
        "ai-edge-litert",
        "from ai_edge_litert.interpreter import Interpreter",
        """    def __init__(self) -> None:
        self.interpreter = Interpreter(str(MODEL))
        self.interpreter.allocate_tensors()

    def __call__(self, *arrays: np.ndarray) -> list[np.ndarray]:
        for detail, array in zip(self.interpreter.get_input_details(), arrays, strict=True):
            self.interpreter.set_tensor(detail["index"], array)
        self.interpreter.invoke()
        return [self.interpreter.get_tensor(detail["index"]) for detail in self.interpreter.get_output_details()]
""",
    ),
    "executorch": (
        "executorch",
        "import torch\nfrom executorch.runtime import Runtime",
        """    def __init__(self) -> None:
        self.program = Runtime.get().load_program(str(MODEL))
        self.method = self.program.load_method("forward")

    def __call__(self, *arrays: np.ndarray) -> list[np.ndarray]:
        found = self.method.execute([torch.from_numpy(array) for array in arrays])
        return [tensor.numpy() for tensor in found]
""",
    ),
    "tvm": (
        "apache-tvm",
        "import tvm\nfrom tvm import relax",
        """    def __init__(self) -> None:
        self.machine = relax.VirtualMachine(tvm.runtime.load_module(str(MODEL)), tvm.cpu())

    def __call__(self, *arrays: np.ndarray) -> list[np.ndarray]:
        found = self.machine["main"](*(tvm.runtime.tensor(array) for array in arrays))
        return [tensor.numpy() for tensor in ([found] if hasattr(found, "numpy") else found)]
""",
    ),
}


def marks(facts: Facts) -> dict[str, str]:
    needs, opening, body = _RUNTIMES[facts.format]
    return {
        "FACTS": "\n".join(facts.lines()),
        "NEEDS": needs,
        "IMPORT": opening,
        "INPUTS": _ports(facts.inputs),
        "OUTPUTS": _ports(facts.outputs),
        "BODY": body,
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
