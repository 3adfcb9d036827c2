"""Functions of images: convolution, pooling, patches."""
