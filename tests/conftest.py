"""What holds for all tests."""

import os
import signal

# Tests compile: what an earlier run left behind must not stand in for this one.
os.environ["TENSORC_CACHE_DIR"] = "off"
# A shell without job control starts background jobs with SIGINT ignored: tests
# of interrupts would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)
