"""Ops on immutable tensors."""
