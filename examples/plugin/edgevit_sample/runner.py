"""`--on sample`: this machine, under another name."""

from edgevit.measure.local import LocalRunner
from edgevit.measure.runner import plain


class SampleRunner(LocalRunner):
    address = "sample"


def open_runner(address: str) -> SampleRunner:
    plain(address, "sample")
    return SampleRunner()
