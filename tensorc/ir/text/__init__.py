"""MLIR's generic form: read and printed."""
