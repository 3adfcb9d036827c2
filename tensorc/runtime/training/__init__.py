"""Minibatch training: fit, epochs, checkpoints."""
