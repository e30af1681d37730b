"""Loaders of the data sets that only the benchmarks use; files lie in the folder that CODEWORD_DATA names."""
