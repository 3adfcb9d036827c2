"""Signals while a run is kept on disk."""

import signal
from contextlib import nullcontext

import pytest

from tensorc.runtime.training import keeping
from tests.runtime.test_checkpoint_files import ABOUT, state

INT, TERM, HUP = "SIGINT", "SIGTERM", "SIGHUP"


@pytest.mark.skipif(not hasattr(signal, HUP), reason="signals of POSIX")
@pytest.mark.parametrize(
    ("sent", "held", "hurries"),
    [
        ((INT,), INT, False),
        ((TERM,), TERM, False),
        ((HUP,), HUP, False),
        ((INT, INT), INT, True),
        ((TERM, TERM), TERM, True),
        ((INT, TERM), INT, True),
        # A closed terminal: the kernel, the shell and the system may all send theirs.
        ((HUP, HUP), HUP, False),
        ((HUP, TERM), TERM, False),
        ((TERM, HUP), TERM, False),
        ((INT, HUP), INT, False),
        ((HUP, INT, INT), INT, True),
    ],
)
def test_signals_are_held_until_the_state_is_on_disk(tmp_path, sent, held, hurries):
    keeper = keeping.Keeper(tmp_path, ABOUT, {})
    got = []
    usual = {s: signal.signal(s, lambda n, _: got.append(n)) for s in keeping._SIGNALS}
    try:
        with keeping.keeping(keeper):
            for name in sent[:-1]:
                signal.raise_signal(signal.Signals[name])
            with pytest.raises(KeyboardInterrupt) if hurries else nullcontext():
                signal.raise_signal(signal.Signals[sent[-1]])
            assert keeper.caught == signal.Signals[held]
            assert not got
            keeper.hear("slice", state)
            assert keeper.last.exists()
            assert got == [signal.Signals[held]]
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)
