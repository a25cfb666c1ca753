"""`--on sample`: this machine, under another name."""

from edgevit.measure import LocalRunner, plain


class SampleRunner(LocalRunner):
    address = "sample"


def open_runner(address: str) -> SampleRunner:
    plain(address, "sample")
    return SampleRunner()
