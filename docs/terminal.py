"""Write docs/terminal.svg: a training run, and a diagnostic.

    python docs/terminal.py

Run it on a quiet machine: the picture shows how long things take.
"""

import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

DOCS = Path(__file__).parent
ROOT = DOCS.parent
COMMAND = "from tensorc.cli.entry import main; main()"
WIDTH = 92


def output_of(*words: str, cwd: Path = ROOT) -> list[str]:
    """Return the lines of a command, those of stderr first."""
    command = [sys.executable, "-c", COMMAND, *words]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    return (done.stderr + done.stdout).rstrip().splitlines()


def wrong_program(directory: Path) -> Path:
    """Write softmax regression with the sizes of its weight the wrong way round."""
    text = (ROOT / "examples" / "logreg.tc").read_text("utf-8")
    path = directory / "wrong.tc"
    path.write_text(text.replace("param W: float[784, 10]", "param W: float[10, 784]"))
    return path


def shortened(lines: list[str]) -> list[str]:
    """Leave out most epochs."""
    epochs = [line for line in lines if line.startswith("epoch ")]
    first = lines.index(epochs[0])
    last = lines.index(epochs[-1])
    return [*lines[: first + 3], "  …", *lines[last - 1 :]]


def main() -> None:
    """Run the commands and draw what they print."""
    console = Console(record=True, width=WIDTH, file=sys.stderr)
    path = wrong_program(DOCS)
    try:
        wrong = output_of("check", path.name, cwd=DOCS)
    finally:
        path.unlink()
    shown = [
        ("tensorc train examples/logreg.tc", output_of("train", "examples/logreg.tc")),
        ("tensorc check wrong.tc", wrong),
    ]
    for command, lines in shown:
        console.print(Text.assemble(("$ ", "bold green"), (command, "bold")))
        for line in shortened(lines) if "train" in command else lines:
            dim = line.startswith(("epoch", "  …"))
            console.print(Text(line, "dim" if dim else ""))
    console.save_svg(str(DOCS / "terminal.svg"), title="tensorc")


if __name__ == "__main__":
    main()
