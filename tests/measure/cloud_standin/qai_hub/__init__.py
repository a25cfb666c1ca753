"""STAND-IN for Qualcomm AI Hub's client: the names and answers of qai-hub 0.56, and no service behind them.

What goes wrong is chosen by the variable STANDIN.
"""

from qai_hub import client
from qai_hub.client import Client

__version__ = "0.56.0"
__all__ = ["Client", "client"]
