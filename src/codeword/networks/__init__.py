"""Bodies, the path into a code, and the output head that a data kind asks for."""
