"""Program that talks to Qualcomm AI Hub by its client. Runs in the interpreter that has the client.

A question comes in as JSON by standard input, events go out a line each. It imports nothing of
edgevit, and no more than the client's own dependencies, of Python 3.10 and later.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

_POLLS = (0.5, 10.0)  # seconds between the first two looks at a job, and between late ones


def main() -> None:
    sys.path.pop(0)  # this folder, whose names are not those of installed modules
    out, sys.stdout = sys.stdout, sys.stderr  # what the client prints is no event

    def tell(kind: str, **facts: Any) -> None:
        print(json.dumps({"kind": kind, **facts}), file=out, flush=True)

    asked = json.load(sys.stdin)
    try:
        import qai_hub
    except ImportError as error:
        tell("missing", text=f"{type(error).__name__}: {error}, in {sys.executable}")
        return
    try:
        client = qai_hub.Client()
        client.set_verbose(False)
        device = _device(qai_hub, client, asked, tell)
        if device is not None and asked["asks"] == "job":
            _run(client, device, asked, tell)
    except qai_hub.client.UserError as error:
        text = _plain(error)
        unknown = any(word in text.lower() for word in ("authenticate", "configuration", "token"))
        tell("token" if unknown else "refused", text=text)
    except qai_hub.client.RateLimitedError as error:
        tell("busy", text=_plain(error))
    except qai_hub.client.Error as error:
        tell("offline", text=_plain(error))


def _device(qai_hub: Any, client: Any, asked: dict[str, Any], tell: Callable[..., None]) -> Any:
    devices = client.get_devices(name=asked["device"], os=asked["os"])
    if not devices:
        names = sorted({device.name for device in client.get_devices()})
        tell("unknown", text=f"of {len(names)} devices none has that name" + (f" with {asked['os']}" if asked["os"] else ""), names=names)  # fmt: skip
        return None
    device = devices[-1]  # the service lists versions of the system in ascending order
    if asked["asks"] == "device":
        chips = [a.partition(":")[2] for a in device.attributes if a.startswith("chipset:")]
        systems = [a.partition(":")[2] for a in device.attributes if a.startswith("os:")]
        tell(
            "device",
            name=device.name,
            os=" ".join([*systems[:1], device.os]),
            chip=max(chips, key=len, default=""),
            client=str(qai_hub.__version__),  # an object of `packaging`
        )
    return device


def _run(client: Any, device: Any, asked: dict[str, Any], tell: Callable[..., None]) -> None:
    import numpy as np

    inputs = None
    if asked["names"] is not None:
        with np.load(f"{asked['folder']}/inputs.npz", allow_pickle=False) as file:
            inputs = {name: [file[f"arr_{i}"]] for i, name in enumerate(asked["names"])}
    model = client.upload_model(asked["artifact"])
    job = client.submit_inference_job(
        model, device, inputs=inputs, options=asked["options"], retry=False, profile=True
    )
    status = _waited(job, asked["limit"], tell)
    if status is None:
        tell("slow", text=f"no result in {asked['limit']:g} s", url=job.url)
    elif not status.success:
        tell("failed", text=status.message or status.code, url=job.url)
    else:
        if inputs is not None:
            outputs = job.download_output_data() or {}
            np.savez(f"{asked['folder']}/outputs.npz", *[runs[0] for runs in outputs.values()])
        tell("profile", profile=job.download_profile(), url=job.url)


def _waited(job: Any, limit: float, tell: Callable[..., None]) -> Any:
    """Return the status of the finished job, or None if it takes longer than the limit."""
    deadline, last, pause = time.monotonic() + limit, "", _POLLS[0]
    while True:
        status = job.get_status()
        if status.finished:
            return status
        if status.code != last:
            last = status.code
            tell("state", text=last.lower().replace("_", " "))
        if time.monotonic() + pause > deadline:
            return None
        time.sleep(pause)
        pause = min(1.3 * pause, _POLLS[1])


def _plain(error: Exception) -> str:
    """Return the client's message without the box that it draws around it."""
    words = str(error).replace("|", " ").translate({ord(c): " " for c in "┌─┐└┘"})
    return " ".join(words.split())[:600]


if __name__ == "__main__":
    main()
