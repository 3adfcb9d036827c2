"""`python -m tensorc.theano script.py …` runs a script that imports `theano`."""

import runpy
import sys
from pathlib import Path

from tensorc.theano.installing import install

_USAGE = "usage: python -m tensorc.theano SCRIPT.py [ARGUMENTS]\n"


def main() -> None:
    """Run the script that the command line names as Python would; 2: there is none."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("-h", "--help"):
        (sys.stdout if arguments else sys.stderr).write(_USAGE)
        sys.exit(0 if arguments else 2)
    script = Path(arguments[0])
    if not script.exists():
        sys.stderr.write(f"error: there is no file {script}\n{_USAGE}")
        sys.exit(2)
    install()
    sys.argv = arguments
    sys.path.insert(0, str(script.resolve().parent))
    runpy.run_path(str(script), run_name="__main__")


if __name__ == "__main__":
    main()
