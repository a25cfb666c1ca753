"""Clouds of devices: an artifact is uploaded, its run awaited, its figures and outputs fetched.

service.py is what a cloud implements, runner.py the runner of any cloud, aihub.py Qualcomm AI Hub. A
distribution adds another cloud by an entry point of `edgevit.runners` that returns a `CloudRunner`.
"""

from edgevit.measure.cloud.runner import CloudRunner
from edgevit.measure.cloud.service import CloudDevice, CloudJob, CloudRun, DeviceCloud

__all__ = ["CloudDevice", "CloudJob", "CloudRun", "CloudRunner", "DeviceCloud"]
