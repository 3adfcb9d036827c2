"""What a target chooses for its kernels, a file for each; the levels carry it out."""
