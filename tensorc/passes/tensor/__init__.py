"""Passes over TENSOR: rules, derivatives."""
