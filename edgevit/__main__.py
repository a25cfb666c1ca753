"""`python -m edgevit` and the `edgevit` command."""

# Only modules that Python has loaded are imported before the path is clean, not even `__future__`.
import sys

from edgevit.support.python import keep_to_import_path


def main() -> int:
    keep_to_import_path()
    try:
        from edgevit.cli.failures import died
        from edgevit.exported import sweep
        from edgevit.support.supervised import supervise

        return supervise(_run, sweep, died)
    except KeyboardInterrupt:  # before or after there is anything to clean up
        return 130


def _run() -> int:
    from edgevit.support.leaving import Leaving

    leaving = Leaving()  # before anything that registers a handler of its own
    from edgevit.cli.main import main as run
    from edgevit.support.stdout import give_up_stdout

    code = run()
    if "--json" in sys.argv:
        give_up_stdout()
    leaving.code = code
    return code


if __name__ == "__main__":
    sys.exit(main())
