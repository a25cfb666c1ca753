"""`python -m edgevit` and the `edgevit` command."""

# Nothing but what Python has loaded is imported before the path is clean, `__future__` included.
import sys

from edgevit.support.python import keep_to_import_path


def main() -> int:
    keep_to_import_path()
    from edgevit.cli import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
