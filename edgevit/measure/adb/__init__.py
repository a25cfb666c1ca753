"""`adb[:serial][?runner=/path]`: an Android device, by this system's adb.

A .tflite is timed by LiteRT's `benchmark_model`, a .pte by ExecuTorch's `executor_runner`: `runner=` is the binary, a
file here that is pushed, or one that is on the device already (below /data). They tell means, not single runs, and do
not give outputs back.
"""

from edgevit.measure.adb.runner import open_runner

__all__ = ["open_runner"]
