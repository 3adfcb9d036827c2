"""Ops of kernels before they have loops."""
