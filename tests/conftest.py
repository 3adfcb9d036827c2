"""What holds for all tests."""

import os

# Tests compile: what an earlier run left behind must not stand in for this one.
os.environ["TENSORC_CACHE_DIR"] = "off"
