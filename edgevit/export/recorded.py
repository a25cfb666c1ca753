"""What an exported folder records of its export, and the same export again.

    "request": {"target": "android", "without": [], "calibration": {}, "backend": {}}

The rest is elsewhere in the manifest: format, precision, lossy steps, choices, and the model with its options.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgevit.errors import PackageError
from edgevit.export.job import ExportJob
from edgevit.export.reproduce import Repeated
from edgevit.export.request import ExportRequest
from edgevit.exported import MANIFEST
from edgevit.quantize import CALIBRATION, CalibrationBatches
from edgevit.support.backend_options import options_info
from edgevit.support.shape import ShapeError, Table, require_shape


def request_dict(export: Repeated) -> dict[str, object]:
    """Return the manifest's entry `request`. Inputs that a caller calibrated on are not recorded."""
    info = options_info(export.format)
    calibration = export.calibration
    batches = isinstance(calibration, CalibrationBatches)
    return {
        "target": export.target_name,
        "without": list(export.without),
        "calibration": {} if batches else CALIBRATION.changed(calibration),
        "backend": info.changed(export.backend_options) if info and export.backend_options else {},
    }


def recorded_job(manifest: Mapping[str, Any]) -> ExportJob:
    """Return the job of a recorded export."""
    recorded, format = manifest.get("request", {}), manifest["format"]
    info, options = options_info(format), recorded.get("backend", {})
    calibration = recorded.get("calibration", {})
    try:
        require_shape(calibration, CALIBRATION.shape())
        require_shape(options, info.shape() if info else Table({}))
    except ShapeError as error:
        raise PackageError(
            f"{MANIFEST} does not say how it was exported",
            where=f"request  {error.at}".strip(),
            why=error.why,
            hint="export the model again",
        ) from error
    request = ExportRequest(
        options={format: info.from_table(options)} if info and options else {},
        calibration=CALIBRATION.from_table(calibration),
        chosen=dict(manifest["chosen"]),
    )
    lossy = [_word(step) for step in manifest["lossy"]]
    return ExportJob.validated(
        recorded.get("target", manifest["target"]),
        [format],
        manifest["precision"],
        lossy,
        recorded.get("without", ()),
        request,
    )


def _word(step: Mapping[str, Any]) -> str:
    return step["name"] if step["value"] is None else f"{step['name']}={step['value']}"
