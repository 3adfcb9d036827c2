"""Where `tensorc` starts: an interrupt while modules load is no traceback."""

import sys


def main() -> None:
    """Run `tensorc` with the arguments of the process, and exit (130: interrupted)."""
    try:
        from tensorc.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)
