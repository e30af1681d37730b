"""Parts of `reliability/fuzzed_readers.py`: damaged files of each format, and children that read them."""
