"""Symbols to bytes and back: every bit written out by hand, and refusals."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from codeword.code_kinds import Bits, Choices, CodeKind, Floats, Residual, Scalars
from codeword.code_kinds.packing import check_bit_codes, check_codes, pack, pack_bits, unpack, unpack_bits
from codeword.errors import CodeError

STEPS = (2, 3, 16, 256, 300, 65_536)

discrete_kinds = st.one_of(
    st.builds(Bits, st.integers(1, 70)),
    st.builds(Scalars, st.integers(1, 12), steps=st.sampled_from(STEPS)),
    st.lists(st.sampled_from(STEPS), min_size=1, max_size=9).map(lambda steps: Scalars(len(steps), steps=steps)),
    st.builds(Choices, st.integers(1, 9), size=st.sampled_from(STEPS)),
    st.builds(Residual, st.integers(1, 9), size=st.sampled_from(STEPS)),
)


@st.composite
def symbols_of_kinds(draw: st.DrawFn) -> tuple[np.ndarray, CodeKind]:
    kind = draw(discrete_kinds)
    rows = draw(st.lists(st.tuples(*(st.integers(0, size - 1) for size in kind.symbol_sizes)), max_size=5))
    return np.array(rows, kind.symbol_dtype).reshape(len(rows), kind.num_symbols), kind


def bytes_by_text(symbols: np.ndarray, kind: CodeKind) -> list[list[int]]:
    """Writes each row's symbols as text of binary digits, fills up with 0 and cuts the text into eights."""
    rows = []
    for row in symbols:
        digits = "".join(
            format(int(symbol), f"0{width}b") for symbol, width in zip(row, kind.symbol_widths, strict=True)
        )
        digits += "0" * (-len(digits) % 8)
        rows.append([int(digits[start : start + 8], 2) for start in range(0, len(digits), 8)])
    return rows


@settings(deadline=None)
@given(symbols_of_kinds())
def test_packing_writes_the_documented_bits_and_unpacking_undoes_it(case: tuple[np.ndarray, CodeKind]) -> None:
    symbols, kind = case
    codes = pack(symbols, kind)
    assert codes.tolist() == bytes_by_text(symbols, kind)
    assert (codes.shape, codes.dtype) == ((len(symbols), kind.num_bytes), np.uint8)
    assert codes.flags.c_contiguous
    back = unpack(codes, kind)
    assert (back.dtype, back.shape) == (kind.symbol_dtype, symbols.shape)
    np.testing.assert_array_equal(back, symbols)


@settings(deadline=None)
@given(hnp.arrays(np.float32, st.tuples(st.integers(0, 5), st.just(3)), elements=st.floats(width=32, allow_nan=False)))
def test_floats_come_back_bit_for_bit(floats: np.ndarray) -> None:
    if not np.isfinite(floats).all():
        with pytest.raises(CodeError, match="got NaN, infinity or a larger number"):
            pack(floats, Floats(3))
        return
    back = unpack(pack(floats, Floats(3)), Floats(3))
    assert (back.dtype, back.tobytes()) == (np.float32, floats.tobytes())


@pytest.mark.parametrize(
    ("kind", "symbols", "codes"),
    [
        (Bits(8), [[1, 0, 0, 0, 0, 0, 1, 1]], [[0b10000011]]),
        (Bits(10), [[1, 0, 1, 0, 0, 0, 0, 0, 0, 1]], [[0b10100000, 0b01_000000]]),
        (Scalars(2), [[0, 255], [1, 128]], [[0, 255], [1, 128]]),
        (Scalars(2, steps=300), [[299, 1]], [[0b10010101, 0b1_0000000, 0b01_000000]]),
        (Scalars(2, steps=65_536), [[0x1234, 0xABCD]], [[0x12, 0x34, 0xAB, 0xCD]]),
        (Scalars(4, steps=(2, 3, 16, 256)), [[1, 2, 9, 200]], [[0b1_10_1001_1, 0b1001000_0]]),
        (Choices(3, size=5), [[4, 0, 3]], [[0b100_000_01, 0b1_0000000]]),
        (Residual(2, size=1000), [[999, 1]], [[0b11111001, 0b11_000000, 0b0001_0000]]),
        (Floats(1), [[1.0], [-2.5]], [[0, 0, 0x80, 0x3F], [0, 0, 0x20, 0xC0]]),
    ],
    ids=str,
)
def test_golden_bytes(kind: CodeKind, symbols: list[Any], codes: list[list[int]]) -> None:
    symbols = np.array(symbols, kind.symbol_dtype)
    assert pack(symbols, kind).tolist() == codes
    assert unpack(np.array(codes, np.uint8), kind).tolist() == symbols.tolist()


@pytest.mark.parametrize("dtype", ["?", "i1", "u1", ">i2", "<u2", ">i4", "u4", "<i8", ">u8"])
@pytest.mark.parametrize("kind", [Bits(9), Scalars(9), Choices(9, size=5)], ids=str)
def test_every_integer_dtype_gives_the_same_bytes(dtype: str, kind: CodeKind) -> None:
    symbols = np.array([[1, 0, 1, 1, 0, 0, 1, 0, 1]])
    assert pack(symbols.astype(dtype), kind).tolist() == bytes_by_text(symbols, kind)


@pytest.mark.parametrize("dtype", ["<f2", ">f4", ">f8"])
def test_every_float_dtype_is_written_as_little_endian_float32(dtype: str) -> None:
    assert pack(np.array([[1.5]], dtype), Floats(1)).tolist() == [[0, 0, 0xC0, 0x3F]]


@pytest.mark.parametrize("kind", [Bits(12), Scalars(12), Scalars(12, steps=300), Floats(12)], ids=str)
def test_memory_layout_and_read_only_input_do_not_matter(kind: CodeKind) -> None:
    symbols = np.random.default_rng(0).integers(0, 2, (7, 12)).astype(kind.symbol_dtype)
    expected = pack(symbols, kind)
    strided = np.repeat(np.repeat(symbols, 2, axis=0), 3, axis=1)[::2, ::3]
    read_only = symbols.copy()
    read_only.flags.writeable = False
    for variant in (strided, np.asfortranarray(symbols), symbols[::-1][::-1], read_only):
        codes = pack(variant, kind)
        np.testing.assert_array_equal(codes, expected)
        assert codes.flags.c_contiguous
        assert codes.flags.writeable
        assert not np.shares_memory(codes, variant)
    read_only_codes = expected.copy()
    read_only_codes.flags.writeable = False
    strided_codes = np.repeat(expected, 2, axis=1)[:, ::2]
    for variant in (strided_codes, np.asfortranarray(expected), read_only_codes):
        np.testing.assert_array_equal(unpack(variant, kind), symbols)
        assert unpack(variant, kind).flags.writeable


@pytest.mark.parametrize("kind", [Bits(3), Scalars(2), Scalars(2, steps=300), Choices(2, size=3), Floats(2)], ids=str)
def test_no_rows_give_no_codes_of_the_right_width(kind: CodeKind) -> None:
    codes = pack(np.empty((0, kind.num_symbols), kind.symbol_dtype), kind)
    assert codes.shape == (0, kind.num_bytes)
    assert unpack(codes, kind).shape == (0, kind.num_symbols)


def test_pack_bits_takes_the_width_from_the_columns() -> None:
    bits = np.array([[True, False, True], [False, False, True]])
    assert pack_bits(bits).tolist() == [[0b101_00000], [0b001_00000]]
    np.testing.assert_array_equal(unpack_bits(pack_bits(bits), 3), bits)


@pytest.mark.parametrize("bits", [[1, 0], [[[1]]], np.empty((2, 0), np.uint8)])
def test_pack_bits_refuses_what_has_no_columns(bits: Any) -> None:
    with pytest.raises(CodeError, match=r"got shape \("):
        pack_bits(bits)


@pytest.mark.parametrize(
    ("symbols", "kind", "received"),
    [
        (np.zeros((2, 3), np.uint8), Bits(4), r"shape \(2, 3\), dtype uint8"),
        (np.zeros(4, np.uint8), Bits(4), r"shape \(4,\), dtype uint8"),
        (np.zeros((1, 4, 1), np.uint8), Bits(4), r"shape \(1, 4, 1\)"),
        (np.zeros((1, 4), np.float32), Bits(4), "dtype float32"),
        (np.zeros((1, 4), np.uint8), Floats(4), "dtype uint8"),
        (np.zeros((1, 4), object), Bits(4), "dtype object"),
        ([[0, 1], [0, -1]], Bits(2), "-1 in row 1"),
        ([[0, 2]], Bits(2), "2 in row 0"),
        ([[0, 256]], Scalars(2), "256 in row 0"),
        ([[15, 3]], Scalars(2, steps=(16, 3)), "3 in row 0"),
        ([[0, 5]], Choices(2, size=5), "5 in row 0"),
        (np.array([[2**63]], np.uint64), Scalars(1), "9223372036854775808 in row 0"),
        ([[np.nan]], Floats(1), "NaN, infinity or a larger"),
        ([[1e300]], Floats(1), "NaN, infinity or a larger"),
    ],
)
def test_packing_refuses_what_are_no_symbols(symbols: Any, kind: CodeKind, received: str) -> None:
    with pytest.raises(CodeError, match=f"got .*{received}"):
        pack(symbols, kind)


@pytest.mark.parametrize(
    ("codes", "kind", "received"),
    [
        (np.zeros((2, 3), np.uint8), Bits(10), r"shape \(2, 3\), dtype uint8.*Pass what `encode` returned"),
        (np.zeros(2, np.uint8), Bits(10), r"shape \(2,\)"),
        (np.zeros((1, 2), np.int8), Bits(10), "dtype int8"),
        (np.zeros((500, 10), bool), Bits(10), r"shape \(500, 10\), dtype bool. Pack them with"),
        (np.zeros((1, 16), np.uint8), Bits(16), r"shape \(1, 16\), dtype uint8. Pack them with `packing"),
        ([[0, 0b00_000001]], Bits(10), "a row with other bits there"),
        ([[0, 0b00_100000]], Bits(10), "a row with other bits there"),
        ([[200, 0], [0, 201]], Scalars(2, steps=201), "201 in row 1"),
        (np.array([[5]], np.int64), Scalars(1), "dtype int64"),
        ([[0b11_000000]], Choices(1, size=3), "3 in row 0"),
        (np.array([np.nan], "<f4").view(np.uint8)[None], Floats(1), "NaN or infinity"),
        (np.array([-np.inf], "<f4").view(np.uint8)[None], Floats(1), "NaN or infinity"),
    ],
)
def test_unpacking_refuses_bytes_that_packing_never_writes(codes: Any, kind: CodeKind, received: str) -> None:
    with pytest.raises(CodeError, match=f"got .*{received}"):
        unpack(np.array(codes, np.uint8) if isinstance(codes, list) else codes, kind)


def test_check_codes_returns_good_codes_without_copying() -> None:
    codes = np.zeros((3, 2), np.uint8)
    assert check_codes(codes, Bits(10)) is codes


def test_packed_bits_are_taken_as_they_are_with_the_number_of_their_bits() -> None:
    codes = np.array([[1, 2, 4], [0, 7, 0]], np.uint8)[:, ::2]
    found, num_bits = check_bit_codes(codes)
    assert (found.tolist(), num_bits, found.flags.c_contiguous) == (codes.tolist(), 16, True)
    assert check_bit_codes(codes, 14)[1] == 14
    assert check_bit_codes(codes[:0])[0].shape == (0, 2)


@pytest.mark.parametrize("codes", [np.zeros((2, 2), np.int8), np.zeros(4, np.uint8), np.zeros((3, 0), np.uint8)])
def test_bit_codes_must_be_packed_bytes(codes: Any) -> None:
    with pytest.raises(CodeError, match=r"must be packed, uint8 of shape \(n, num_bytes\), eight bits per byte: got"):
        check_bit_codes(codes)


def test_eight_columns_of_only_0_and_1_are_not_packed_unless_their_width_is_given() -> None:
    ones = np.ones((2, 8), np.uint8)
    with pytest.raises(CodeError, match=r"got 8 columns of only 0 and 1.*pass num_bits=64 if they are packed"):
        check_bit_codes(ones)
    for packed in (ones[:, :7], ones[:0], np.maximum(ones, np.eye(2, 8, dtype=np.uint8) * 2)):
        assert check_bit_codes(packed)[0].tolist() == packed.tolist()
    assert check_bit_codes(ones, 64)[1] == 64


def test_bit_codes_of_another_width_or_with_padding_are_refused_by_name() -> None:
    with pytest.raises(CodeError, match="must be uint8 with 2 columns"):
        check_bit_codes(np.zeros((1, 3), np.uint8), 10)
    with pytest.raises(CodeError, match=r"`queries` of Bits.num_bits=10. must end in 6 padding bits of 0"):
        check_bit_codes(np.array([[0, 0b00_100000]], np.uint8), 10, name="queries")


@pytest.mark.parametrize(
    ("codes", "is_told"),
    [
        (np.array([1, 2], np.uint64), True),
        (np.array([[1], [2]], np.int64), True),
        (np.array([1, 2], np.uint32), False),
        (np.array([[1, 2]], np.uint64), False),
        (np.array([], np.uint64), False),
        (np.array([1.0, 2.0]), False),
    ],
    ids=["unsigned", "a column", "of 32 bits", "two columns", "none", "floats"],
)
def test_only_hashes_of_64_bits_are_told_to_become_eight_bytes(codes: Any, is_told: bool) -> None:
    with pytest.raises(CodeError) as caught:
        check_bit_codes(codes)
    assert ("Convert hashes of 64 bits" in str(caught.value)) == is_told
