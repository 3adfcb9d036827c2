"""Where `tensorc` starts: what goes wrong while modules load is no traceback."""

import sys

from tensorc.address_space import MIB, has_room


def main() -> None:
    """Run `tensorc` with the arguments of the process, and exit (130: interrupted)."""
    try:
        from tensorc.cli.main import main as run

        run()
    except (ImportError, OSError, MemoryError):
        # Nothing of ours can be loaded to say so in another way.
        if has_room(32 * MIB):
            raise
        sys.stderr.write("error[TC0507]: too little memory to load tensorc\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)
