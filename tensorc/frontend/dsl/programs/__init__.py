"""What a file is to the rest of tensorc: plain data, and IR on demand."""
