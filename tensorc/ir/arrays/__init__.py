"""What ops of several levels mean alike, as functions of numpy arrays."""
