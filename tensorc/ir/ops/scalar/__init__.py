"""Ops on numbers and vectors."""
