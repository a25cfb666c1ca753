"""The pipeline from a model to a checked folder, its requests and its plans."""

from typing import TYPE_CHECKING

from edgevit.support.face import lazy_face

if TYPE_CHECKING:
    from edgevit.export.api import export, inspect, quantize
    from edgevit.export.from_plan import export_planned, made_of, same_bytes
    from edgevit.export.isolated import exclusive_machine_lock, export_apart
    from edgevit.export.lowered import LoweredModel, lowered_model
    from edgevit.export.manifest import GraphReport, rewrite_lines
    from edgevit.export.output_folder import output_folder
    from edgevit.export.part import export_part
    from edgevit.export.plan_file import WEIGHTS, ExportPlan, Made, plan_text, read_plan
    from edgevit.export.quantize_report import QuantizationReport
    from edgevit.export.recorded import recorded_job
    from edgevit.export.request import ExportRequest, choices_of, graph_hash
    from edgevit.export.result import ExportResult, ExportResults
    from edgevit.export.sizes import Sizes, join_sizes

__all__ = [
    "WEIGHTS",
    "ExportPlan",
    "ExportRequest",
    "ExportResult",
    "ExportResults",
    "GraphReport",
    "LoweredModel",
    "Made",
    "QuantizationReport",
    "Sizes",
    "choices_of",
    "exclusive_machine_lock",
    "export",
    "export_apart",
    "export_part",
    "export_planned",
    "graph_hash",
    "inspect",
    "join_sizes",
    "lowered_model",
    "made_of",
    "output_folder",
    "plan_text",
    "quantize",
    "read_plan",
    "recorded_job",
    "rewrite_lines",
    "same_bytes",
]

lazy_face(
    __name__,
    {
        "api": ("export", "inspect", "quantize"),
        "from_plan": (
            "export_planned",
            "made_of",
            "same_bytes",
        ),
        "isolated": (
            "exclusive_machine_lock",
            "export_apart",
        ),
        "lowered": ("LoweredModel", "lowered_model"),
        "manifest": (
            "GraphReport",
            "rewrite_lines",
        ),
        "output_folder": ("output_folder",),
        "part": ("export_part",),
        "plan_file": (
            "ExportPlan",
            "Made",
            "WEIGHTS",
            "plan_text",
            "read_plan",
        ),
        "quantize_report": ("QuantizationReport",),
        "recorded": ("recorded_job",),
        "request": (
            "ExportRequest",
            "choices_of",
            "graph_hash",
        ),
        "result": (
            "ExportResult",
            "ExportResults",
        ),
        "sizes": ("Sizes", "join_sizes"),
    },
)
