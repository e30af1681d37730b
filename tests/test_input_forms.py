"""Inputs in odd forms, for every reader of arrays, ids and frames: an answer, or a refusal in words."""

import decimal

import numpy as np
import pandas as pd
import pytest

import codeword as cw
from codeword.arrays.ids import checked_ids
from codeword.arrays.rows import as_array, as_frame
from codeword.code_kinds import packing
from codeword.errors import CodeError, DataError, DataTypeError
from codeword.gates.answers import kind_of_labels
from codeword.recommenders.rating_table import as_rating_table
from codeword.search.metadata_columns import metadata_columns
from reliability.fuzzing import trapped
from reliability.fuzzing.traps import TRAPS, Trap

UNEVEN = [[0.0], [0.0, 0.25]]
TWINS = pd.DataFrame(np.zeros((2, 2)), columns=["a", "a"])


@pytest.mark.parametrize(
    "call",
    [
        lambda values: packing.pack(values, cw.Bits(8)),
        lambda values: packing.unpack(values, cw.Bits(8)),
        packing.pack_bits,
        lambda values: packing.unpack_bits(values, 8),
        packing.check_bit_codes,
        cw.HammingIndex,
        cw.HammingIndex(np.array([[7]], np.uint8)).search,
    ],
)
def test_codes_of_uneven_rows_are_refused(call):
    with pytest.raises(CodeError, match="must be an array: got list of uneven rows"):
        call(UNEVEN)


def test_ids_of_uneven_rows_and_of_several_axes_are_refused():
    with pytest.raises(DataTypeError, match="`ids` must hold one id per row: got list of uneven rows"):
        checked_ids(UNEVEN, "ids")
    with pytest.raises(DataTypeError, match=r"`ids` must have one axis, with an id per row: got shape \(1, 2\)"):
        checked_ids(np.array([["a", "b"]], object), "ids")


def test_a_frame_of_equal_names_is_refused_and_others_are_arrays():
    for read in (as_array, as_frame, cw.advise, lambda frame: as_rating_table(frame, None)):
        with pytest.raises(DataError, match=r"must have columns of different names: got .*'a' 2 times"):
            read(TWINS)
    frame = pd.DataFrame(np.eye(2))
    assert as_frame(frame).columns == [0, 1]
    assert as_frame(np.eye(2)) is None
    np.testing.assert_array_equal(as_array(frame), np.eye(2))


def test_advice_takes_columns_whose_names_are_numbers():
    assert cw.advise(pd.DataFrame([[0.0, 1.0], [1.0, 0.0]])).kind == cw.Binary()


def test_numbers_beyond_all_floats_are_refused():
    large = np.array([1.5, 10**400], object)
    with pytest.raises(DataError, match="below 2\\*\\*63: got an integer beyond all floats in column 'a'"):
        metadata_columns({"a": large}, 2)
    with pytest.raises(DataTypeError, match="must be numbers: got int too large"):
        as_rating_table(([0, 1], [0, 1], large), None)


def test_a_signaling_nan_is_no_label():
    assert kind_of_labels(np.array([decimal.Decimal(1), 2.5], object)) == "numbers"
    assert kind_of_labels(np.array([decimal.Decimal(1), decimal.Decimal("sNaN")], object)) is None


def test_there_are_enough_traps_and_no_two_of_one_name():
    assert len({trap.name for trap in TRAPS}) == len(TRAPS) >= 100


def test_a_trap_that_is_answered_wrongly_is_told(monkeypatch):
    told = []
    monkeypatch.setattr(trapped, "_tell", lambda kind, estimator, words: told.append(kind))
    right, same = np.arange(3.0), Trap("turned", np.flip, same=True)

    def judged(call, trap=same):
        trapped._judged(trapped.Call("one", "method", right, call), trap, [right], 1)

    def raise_key_error(x):
        raise KeyError(x)

    def refuse(x):
        raise DataError("no")

    judged(np.flip)
    judged(refuse)
    assert told == []
    judged(lambda x: x)
    judged(raise_key_error)
    judged(lambda x: x * np.nan, Trap("any", np.flip))
    assert told == ["other answers", "foreign errors", "other answers"]
