"""`adb[:serial][?runner=/path]`: an Android device, reached by this system's adb.

A .tflite is timed by LiteRT's `benchmark_model`, a .pte by ExecuTorch's `executor_runner`.
`runner=` is the binary: a local file that is pushed, or one that is on the device already (below
/data). These binaries report means, not single runs, and do not return outputs.
"""

from edgevit.measure.adb.runner import open_runner

__all__ = ["open_runner"]
