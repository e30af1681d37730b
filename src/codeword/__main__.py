"""`python -m codeword` is `codeword`."""

import os
import sys

if sys.path[0] in ("", os.getcwd()) and not sys.flags.safe_path:
    del sys.path[0]  # Python puts the current folder first, and a folder of a stranger may hold a `numpy.py`

from codeword.cli import main

main()
