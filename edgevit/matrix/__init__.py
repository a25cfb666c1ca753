"""Every format of a target for several models, in one table."""

from typing import TYPE_CHECKING

from edgevit.support.face import lazy_face

if TYPE_CHECKING:
    from edgevit.matrix.report import MARKDOWN, matrix_text, write_matrix
    from edgevit.matrix.run import MatrixOptions, matrix

__all__ = ["MARKDOWN", "MatrixOptions", "matrix", "matrix_text", "write_matrix"]

lazy_face(
    __name__,
    {
        "report": ("MARKDOWN", "matrix_text", "write_matrix"),
        "run": ("MatrixOptions", "matrix"),
    },
)
