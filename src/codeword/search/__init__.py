"""Search for similar codes: in memory with FAISS, on disk with DuckDB (no Keras)."""

from codeword.search.hamming import HammingIndex as HammingIndex
from codeword.search.nearest_rows import nearest_rows as nearest_rows
from codeword.search.store import CodeStore as CodeStore
