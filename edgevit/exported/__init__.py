"""The exported folder on disk: its manifest, files, golden vectors, check and page."""

from typing import TYPE_CHECKING

from edgevit.support.face import lazy_face

if TYPE_CHECKING:
    from edgevit.exported.golden import GOLDEN, load_golden, save_golden
    from edgevit.exported.manifest import (
        expand_folders,
        exported_here,
        read_manifest,
        require_ours,
        require_trusted_file,
        require_trusted_model,
        require_untouched,
    )
    from edgevit.exported.manifest_file import write_manifest
    from edgevit.exported.manifest_schema import SCHEMA
    from edgevit.exported.page.beside import Comparison, Exported, compare, comparison_text
    from edgevit.exported.page.cost import Timings, Trade
    from edgevit.exported.page.explorer import explorer_files
    from edgevit.exported.page.page import page
    from edgevit.exported.quantized_text import accuracy_rows, island_rows
    from edgevit.exported.staging import (
        MANIFEST,
        empty,
        file_entry,
        listed_files,
        remove,
        remove_export,
        require_space,
        staged,
        sweep,
    )
    from edgevit.exported.text import (
        CALLS,
        GRAPHS,
        OUTLINE,
        PAGE,
        SUMMARY,
        artifact_bytes,
        lossy_rows,
        off_engine_lines,
        outside_lines,
        parity_text,
        summary,
        verdict,
    )
    from edgevit.exported.verify import Verdict, verify

__all__ = [
    "CALLS",
    "GOLDEN",
    "GRAPHS",
    "MANIFEST",
    "OUTLINE",
    "PAGE",
    "SCHEMA",
    "SUMMARY",
    "Comparison",
    "Exported",
    "Timings",
    "Trade",
    "Verdict",
    "accuracy_rows",
    "artifact_bytes",
    "compare",
    "comparison_text",
    "empty",
    "expand_folders",
    "explorer_files",
    "exported_here",
    "file_entry",
    "island_rows",
    "listed_files",
    "load_golden",
    "lossy_rows",
    "off_engine_lines",
    "outside_lines",
    "page",
    "parity_text",
    "read_manifest",
    "remove",
    "remove_export",
    "require_ours",
    "require_space",
    "require_trusted_file",
    "require_trusted_model",
    "require_untouched",
    "save_golden",
    "staged",
    "summary",
    "sweep",
    "verdict",
    "verify",
    "write_manifest",
]

lazy_face(
    __name__,
    {
        "golden": (
            "GOLDEN",
            "load_golden",
            "save_golden",
        ),
        "manifest": (
            "expand_folders",
            "exported_here",
            "read_manifest",
            "require_ours",
            "require_trusted_file",
            "require_trusted_model",
            "require_untouched",
        ),
        "manifest_file": ("write_manifest",),
        "manifest_schema": ("SCHEMA",),
        "page.beside": ("Comparison", "Exported", "compare", "comparison_text"),
        "page.cost": (
            "Timings",
            "Trade",
        ),
        "page.explorer": ("explorer_files",),
        "page.page": ("page",),
        "quantized_text": ("accuracy_rows", "island_rows"),
        "staging": (
            "MANIFEST",
            "empty",
            "file_entry",
            "listed_files",
            "remove",
            "remove_export",
            "require_space",
            "staged",
            "sweep",
        ),
        "text": (
            "CALLS",
            "GRAPHS",
            "OUTLINE",
            "PAGE",
            "SUMMARY",
            "artifact_bytes",
            "lossy_rows",
            "off_engine_lines",
            "outside_lines",
            "parity_text",
            "summary",
            "verdict",
        ),
        "verify": (
            "Verdict",
            "verify",
        ),
    },
)
