"""Derivatives: tables of what each op gives, and the pass that expands them."""
