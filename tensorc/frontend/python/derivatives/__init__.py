"""Derivatives of variables by variables: gradients, products with jacobians."""
