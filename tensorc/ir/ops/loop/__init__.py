"""Loops and vectors."""
