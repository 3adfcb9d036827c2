"""What an error says, without the source that it quotes.

A message quotes the user's line, and in a table of mistakes that line is the test's
own: it holds the very words that the test looks for.
"""

from tensorc.errors import TensorcError


def said(error: BaseException) -> str:
    """Return the messages, labels, notes and hints of an error's diagnostics."""
    if not isinstance(error, TensorcError):
        return str(error)
    words: list[str] = []
    for d in error.diagnostics:
        words += [d.message, d.label, *(label.text for label in d.labels)]
        words += [*d.notes, *d.hints]
    return "\n".join(words)
