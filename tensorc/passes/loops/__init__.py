"""From BUFFER to LOOP, for CPUs."""
