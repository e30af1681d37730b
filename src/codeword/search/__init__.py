"""Search for similar codes: in memory with FAISS, on disk with DuckDB (no Keras)."""

from codeword.search.code_index import CodeIndex as CodeIndex
from codeword.search.hamming import HammingIndex as HammingIndex
from codeword.search.kept_rows import KeptRows as KeptRows
from codeword.search.nearest_rows import nearest_rows as nearest_rows
from codeword.search.queries import Queries as Queries
from codeword.search.store import CodeStore as CodeStore
