"""Interrupt this process while it works."""

import os
import signal
import threading
import time
from collections.abc import Callable

import pytest


def interrupted(work: Callable[[], object]) -> float:
    """Run some work, interrupt it after 0.3 s, return how long it went on then."""
    sent: list[float] = []

    def interrupt() -> None:
        time.sleep(0.3)
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        work()
    waited = time.perf_counter() - sent[0]
    thread.join()
    return waited
