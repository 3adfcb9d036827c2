"""Graphs of symbolic variables: nodes, IR, store."""
