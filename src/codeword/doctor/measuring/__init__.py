"""What the doctor measures."""
