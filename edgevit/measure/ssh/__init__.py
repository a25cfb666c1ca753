"""`ssh://[user@]host[:port][?python=/path&dir=/path&config=/path]`: a Linux board, by ssh and scp.

The board needs python3 with numpy and the artifact's runtime (`python=` names another interpreter,
say a venv's). The artifact and `remote_main.py` are pushed to a folder of their own below `dir`
(default: /tmp), which is deleted afterwards. This system's ssh and scp are used.
"""

from edgevit.measure.ssh.runner import open_runner

__all__ = ["open_runner"]
