"""What holds for all tests."""

import gc
import os
import signal

# Tests compile: what an earlier run left behind must not stand in for this one.
os.environ["TENSORC_CACHE_DIR"] = "off"
# A shell without job control starts background jobs with SIGINT ignored: tests
# of interrupts would wait forever.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers():
    """Let one process write golden texts: what one writes another would be reading."""
    return 0 if os.environ.get("TENSORC_UPDATE_GOLDEN") == "1" else None


def pytest_collection_finish():
    """Collect garbage less often: a module of the IR is many small objects."""
    gc.freeze()  # modules and tests stay to the end
    gc.set_threshold(100_000, 20, 20)
