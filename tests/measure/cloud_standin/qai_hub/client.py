"""STAND-IN: see the package."""

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np

MODE = os.environ.get("STANDIN", "")


class Error(Exception):
    pass


class UserError(Error):
    pass


class InternalError(Error):
    pass


class RateLimitedError(Error):
    pass


class Client:
    def set_verbose(self, verbose: bool) -> None:
        self._quiet = not verbose
        if MODE == "token":
            raise UserError("Failed to load client configuration file.\n┌──┐\n| ~/.qai_hub/client.ini not found. |\n└──┘")  # fmt: skip

    def get_devices(self, name: str = "", os: str = "") -> list:
        print("a line that the client prints")
        if MODE == "offline":
            raise InternalError("Internal API failure.\n| Could not connect to Qualcomm AI Hub. |")
        attributes = ["os:android", "chipset:sd8g3", "chipset:qualcomm-snapdragon-8gen3"]
        devices = [
            SimpleNamespace(name=known, os=version, attributes=attributes)
            for known in ("Samsung Galaxy S23", "Samsung Galaxy S24")
            for version in ("13", "14")
        ]
        return [d for d in devices if name in ("", d.name) and os in ("", d.os)]

    def upload_model(self, model: str) -> SimpleNamespace:
        assert Path(model).exists()
        return SimpleNamespace(path=model)

    def submit_inference_job(self, model, device, inputs, options, retry, profile) -> "Job":
        if MODE == "refused":
            raise UserError("device does not support ONNX model input")
        if MODE == "busy":
            raise RateLimitedError("Too many jobs")
        assert (retry, profile, device.os) == (False, True, "14")
        return Job(model.path, inputs, options)


class Job:
    url = "https://standin.invalid/jobs/j1"

    def __init__(self, path: str, inputs, options: str) -> None:
        self._path, self._inputs, self._options = path, inputs, options
        self._looks = 0

    def get_status(self) -> SimpleNamespace:
        self._looks += 1
        finished = self._looks > 1 and MODE != "slow"
        success = finished and MODE != "failed"
        code = ("SUCCESS" if success else "FAILED") if finished else "PROVISIONING_DEVICE"
        message = "Op Wish is not supported" if finished and not success else None
        return SimpleNamespace(finished=finished, success=success, code=code, message=message)

    def download_output_data(self) -> dict:
        if MODE == "wrong":
            return {"output_0": [np.full((1, 10), 7, np.float32)]}
        import onnxruntime  # stands for the device

        session = onnxruntime.InferenceSession(self._path)
        outputs = session.run(None, {name: runs[0] for name, runs in self._inputs.items()})
        return {value.name: [array] for value, array in zip(session.get_outputs(), outputs, strict=True)}  # fmt: skip

    def download_profile(self) -> dict:
        if MODE == "crash":
            sys.exit("ConnectionError: the transfer broke off")
        if MODE == "malformed":
            return {"execution_summary": {}}
        layers = [("conv", "Conv", "NPU", 900), ("softmax", "Softmax", "CPU", 300)]
        return {
            "execution_summary": {
                "estimated_inference_time": 1180,
                "all_inference_times": [1200, 1180, 1190],
                "inference_memory_peak_range": (30_000_000, 31_500_000),
                "inference_memory_increase_range": None,
            },
            "execution_detail": [
                {"name": n, "type": t, "compute_unit": unit, "execution_time": us}
                for n, t, unit, us in layers
            ],
        }
