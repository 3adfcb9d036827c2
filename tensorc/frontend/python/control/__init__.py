"""Functions that decide what is computed, and how often: conditions and loops."""
