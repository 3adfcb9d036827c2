"""Write the pictures of docs: terminal.svg, bar.svg, explain.svg and notebook.svg.

    python docs/terminal.py [NAME.svg …]

terminal.svg, of a training run and a diagnostic, and bar.svg, of the bar on a terminal
of 80 columns, show how long things take: write them on a quiet machine. explain.svg
shows the kernels of a step, notebook.svg what a notebook shows of a program and of its
step.
"""

import html
import os
import pty
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.text import Text

import tensorc as tc

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


EXPLAIN = ("explain", "examples/logreg.tc::train", "--dim", "B=600")


def write_explain() -> None:
    """Draw what the kernels of a step do."""
    command, lines = f"tensorc {' '.join(EXPLAIN)}", output_of(*EXPLAIN)
    width = max(map(len, [*lines, f"$ {command}"]))
    console = Console(record=True, width=width, file=sys.stderr)
    console.print(Text.assemble(("$ ", "bold green"), (command, "bold")))
    for line in lines:
        console.print(Text(line, "bold" if line.startswith("kernel") else ""))
    console.save_svg(str(DOCS / "explain.svg"), title="tensorc")


CELLS = ('program = tc.load("examples/logreg.tc")\nprogram', "program.train")
STYLE = """
.cells { font: 13px sans-serif; color: #222; background: white; padding: 12px }
.cells pre { background: #f3f3f3; padding: 8px; margin: 0 0 8px 0 }
.cells th, .cells td { padding: 2px 12px 2px 0 }
"""


def shown_by_cells() -> list[str]:
    """Return what a notebook shows behind each of `CELLS`."""
    program = tc.load("examples/logreg.tc")
    return [program._repr_html_(), program.train._repr_html_()]


def write_notebook() -> None:
    """Draw cells of a notebook and what it shows: HTML within an SVG."""
    parts = [
        f"<pre>{html.escape(cell)}</pre>{shown}"
        for cell, shown in zip(CELLS, shown_by_cells(), strict=True)
    ]
    space = 'xmlns="http://www.w3.org/1999/xhtml"'
    body = f'<div {space} class="cells">{"".join(parts)}</div>'
    size = 'width="820" height="1000"'
    picture = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}><style>{STYLE}</style>'
        f"<foreignObject {size}>{body}</foreignObject></svg>\n"
    )
    (DOCS / "notebook.svg").write_text(picture, "utf-8")


def write_terminal() -> None:
    """Draw what a training run and a wrong program print."""
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


BAR = ("train", "examples/logreg.tc")
BAR_WIDTH = 80


def frames_of_the_bar() -> list[str]:
    """Return what the bar showed, with its colours, each time that it was drawn."""
    reader, writer = pty.openpty()
    size = {"COLUMNS": str(BAR_WIDTH), "LINES": "24", "TERM": "xterm-256color"}
    command = [sys.executable, "-c", COMMAND, *BAR]
    with subprocess.Popen(
        command, cwd=ROOT, stderr=writer, stdout=writer, env=os.environ | size
    ):
        os.close(writer)
        pieces = []
        with suppress(OSError):  # the end of a terminal, on Linux
            while piece := os.read(reader, 1 << 16):
                pieces.append(piece)
    os.close(reader)
    shown = b"".join(pieces).decode()
    lines = re.split(r"\r\n|\r|\n|\x1b\[2K|\x1b\[1A|\x1b\[\?25[lh]", shown)
    return [
        line for line in lines if re.match(r"(\x1b\[[\d;]*m)*(epoch|compiling)", line)
    ]


def write_bar() -> None:
    """Draw the bar while it compiles, early in a run and late."""
    frames = frames_of_the_bar()
    chosen = [frames[0], frames[len(frames) // 3], frames[-1]]
    console = Console(record=True, width=BAR_WIDTH, file=sys.stderr)
    command = f"tensorc {' '.join(BAR)}"
    console.print(Text.assemble(("$ ", "bold green"), (command, "bold")))
    for frame in chosen:
        console.print(Text.from_ansi(frame))
    console.save_svg(str(DOCS / "bar.svg"), title="tensorc")


WRITERS = {
    "bar.svg": write_bar,
    "terminal.svg": write_terminal,
    "explain.svg": write_explain,
    "notebook.svg": write_notebook,
}

if __name__ == "__main__":
    for name in sys.argv[1:] or WRITERS:
        WRITERS[name]()
