"""Options of the backend; nothing heavy is imported here, as every command line has their words."""

from dataclasses import dataclass

from edgevit.support.backend_options import BackendOptions, OptionsInfo, Word
from edgevit.support.shape import Text


@dataclass(frozen=True)
class ArchiveOptions(BackendOptions):
    pt2_note: str = ""  # stored in the archive as `note.txt`


OPTIONS = OptionsInfo(
    ArchiveOptions,
    (Word("pt2_note", Text(), "TEXT", "a note to store in the archive"),),
)
