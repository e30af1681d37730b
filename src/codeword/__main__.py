"""`python -m codeword` is `codeword`."""

from codeword.cli import main

main()
