"""What the help of a command says of a file: its hypers."""

from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tensorc.frontend.dsl.outline import hypers


def hypers_panel(file: str) -> Panel | None:
    """Return a panel with the hypers of a file, their defaults and their comments.

    None if it has no hypers. Raises `CompileError` if it cannot be parsed.
    """
    rows = hypers(file)
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, default, doc in rows:
        table.add_row(Text(f"{name} = {default}", "bold"), Text(doc))
    title = f"Hypers of {file}: --set NAME=VALUE"
    return Panel(table, title=title, title_align="left") if rows else None
