"""The functions that users call, for all doors: one row each."""
