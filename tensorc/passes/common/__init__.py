"""What passes of every level are made with."""
