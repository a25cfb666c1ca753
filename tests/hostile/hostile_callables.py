"""The user's own file, broken or unkind: each of its ways is told with its line, and never as our bug."""

from __future__ import annotations

from tests.hostile.case import Case, Room

HEAD = "import sys, os\nimport torch\nfrom torch import nn\n\n"
BUILD = "def build():\n    return nn.Conv2d(3, 4, 3).eval(), (torch.zeros(1, 3, 8, 8),)\n"
FORWARD = (
    "class Net(nn.Module):\n    def forward(self, x):\n        {line}\n        return x\n\n"
    "def build():\n    return Net().eval(), (torch.zeros(1, 3, 8, 8),)\n"
)
ENDS = {
    "sys.exit()": "sys.exit()",
    "sys.exit(0)": "sys.exit(0)",
    "sys.exit of a text": "sys.exit('bye')",
    "exit()": "exit()",
    "quit()": "quit()",
    "SystemExit": "raise SystemExit",
    "an exception": "raise ValueError('no')",
    "an exception without a text": "raise Exception",
    "an exception of half a character": "raise ValueError('\\ud800')",
    "an exception that moves the cursor": "raise ValueError('\\x1b[2J')",
    "an exception whose text fails": "raise type('E', (Exception,), {'__str__': lambda s: 1 / 0})()",
    "no memory": "raise MemoryError",
    "endless recursion": "(lambda f: f(f))(lambda f: f(f))",
    "a failed assertion": "assert False",
    "an unknown name": "nothing",
    "a missing module": "import nothing_of_that_name",
    "a stopped iteration": "raise StopIteration",
    "an exception below all": "raise type('E', (BaseException,), {})",
    "a parsed command line": "import argparse; p = argparse.ArgumentParser(); p.add_argument('a'); p.parse_args()",
}
FILES = {
    "nothing": "",
    "no Python": "this is not Python\n",
    "bytes of no text": b"\xff\xfe\x00build",
    "NUL": "build = '\0'\n",
    "nested without end": "x = " + "(" * 100_000 + "\n",
    "another callable": "def other(): pass\n",
}
RETURNS = {
    "None": "None",
    "a class": "nn.Conv2d",
    "a list": "[nn.ReLU()]",
    "three things": "(nn.ReLU(), 1, 2)",
    "a module and a number": "(nn.ReLU(), 1)",
    "a module and nothing": "(nn.ReLU(), ())",
    "a module and a text": "(nn.ReLU(), 'x')",
    "a module that is not ours to run": "nn.Module()",
    "parameters without data": "nn.Conv2d(3, 4, 3, device='meta'), (torch.zeros(1, 3, 8, 8),)",
    "an input of another shape": "nn.Conv2d(3, 4, 3), (torch.zeros(1, 5, 8, 8),)",
    "an input without data": "nn.ReLU(), (torch.zeros(1, device='meta'),)",
    "an empty input": "nn.Conv2d(3, 4, 3), (torch.zeros(0, 3, 8, 8),)",
    "weights of NaN": "nn.Conv2d(3, 4, 3).apply(lambda m: nn.init.constant_(m.weight, float('nan'))), (torch.zeros(1, 3, 8, 8),)",
}
STATED = {
    "input_size raises": "property(lambda self: 1 / 0)",
    "input_size is endless": "(3, 10**9, 10**9)",
    "input_size is negative": "(3, -1, -1)",
}


def case(name: str, content: str | bytes, says: str = "") -> Case:
    def make(room: Room) -> list[str]:
        room.write("net.py", content)
        return ["inspect", "net.py:build", "--quiet"]

    return Case(f"callable: {name}", make, says)


def stated(value: str) -> str:
    return (
        f"{HEAD}class Net(nn.Module):\n    input_size = {value}\n\n    def forward(self, x):\n"
        "        return x * 2\n\ndef build():\n    return Net()\n"
    )


CASES = (
    *(case(f"{n} when imported", f"{HEAD}{line}\n{BUILD}", "net.py:5") for n, line in ENDS.items()),
    *(
        case(f"{n} when built", f"{HEAD}def build():\n    {line}\n", "net.py:6")
        for n, line in ENDS.items()
    ),
    *(
        case(f"{n} when run", HEAD + FORWARD.format(line=line), "net.py:7")
        for n, line in ENDS.items()
    ),
    *(case(f"a file of {n}", content) for n, content in FILES.items()),
    *(case(f"returns {n}", f"{HEAD}def build():\n    return {v}\n") for n, v in RETURNS.items()),
    *(case(n, stated(value)) for n, value in STATED.items()),
)
