"""`python -m edgevit` and the `edgevit` command."""

# Nothing but what Python has loaded is imported before the path is clean, `__future__` included.
import sys

from edgevit.support.python import keep_to_import_path


def main() -> int:
    keep_to_import_path()
    from edgevit.cli import main as run

    code = run()
    if "--json" in sys.argv:
        from edgevit.support.stdout import give_up_stdout

        give_up_stdout()
    return code


if __name__ == "__main__":
    sys.exit(main())
