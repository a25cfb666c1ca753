"""STAND-IN for Qualcomm AI Hub's client: the names and answers of qai-hub 0.56, and no service behind them.

What goes wrong is chosen by the variable STANDIN.
"""

from pathlib import PurePath

from qai_hub import client
from qai_hub.client import Client

__version__ = PurePath("0.56.0")  # no text, as the real one is an object of `packaging`
__all__ = ["Client", "client"]
