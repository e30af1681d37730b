"""Packed codes as 64-bit words, and their bytes in SQL."""

import duckdb
import numpy as np
import pytest

from codeword.search.code_words import WORD_COLUMN, bytes_in_sql, from_words, to_words, word_names


@pytest.mark.parametrize(("num_bits", "count"), [(1, 1), (63, 1), (64, 1), (65, 2), (128, 2), (129, 3)])
def test_a_code_has_a_word_for_every_64_bits(num_bits: int, count: int) -> None:
    assert word_names(num_bits) == [f"code_{number}" for number in range(count)]
    assert all(WORD_COLUMN.fullmatch(name) for name in word_names(num_bits))


def test_the_first_byte_is_the_most_significant_one() -> None:
    codes = np.array([[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [255] * 10], np.uint8)
    words = to_words(codes)
    assert [word.tolist() for word in words] == [[0x0102030405060708, 2**64 - 1], [0x090A << 48, 0xFFFF << 48]]
    assert {(word.dtype, word.flags.c_contiguous) for word in words} == {(np.dtype(np.uint64), True)}


@pytest.mark.parametrize("num_bytes", [1, 7, 8, 9, 16, 17])
def test_words_and_their_bytes_in_sql_are_those_of_the_code(num_bytes: int) -> None:
    codes = np.random.default_rng(num_bytes).integers(0, 256, (5, num_bytes), dtype=np.uint8)
    words = to_words(codes)
    back = from_words(words, num_bytes)
    assert (back.dtype, back.flags.c_contiguous) == (np.uint8, True)
    np.testing.assert_array_equal(back, codes)
    with duckdb.connect() as connection:
        connection.register("codes", dict(zip(word_names(8 * num_bytes), words, strict=True)))
        found = connection.execute(f"SELECT {', '.join(bytes_in_sql(8 * num_bytes))} FROM codes").fetchnumpy()
    assert list(found) == [f"c{number}" for number in range(num_bytes)]
    np.testing.assert_array_equal(np.stack(list(found.values()), axis=1), codes)
