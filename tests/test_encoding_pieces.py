"""Encoding and decoding in pieces: the same codes wherever pieces end, errors with the row's number in all rows."""

import copy
import json
import pickle

import numpy as np
import pytest
from click.testing import CliRunner

import codeword as cw
from codeword.cli import main
from codeword.files.codes import read_codes
from codeword.files.output_table import write_array
from codeword.files.table_pieces import open_codes, open_rows
from codeword.files.tables import read_array
from codeword.inference import fixed_batches
from codeword.inference.fixed_batches import BATCH_ROWS as PIECE

NUM_ROWS = 2 * PIECE + 3
ROWS = np.random.default_rng(0).integers(0, 4, (NUM_ROWS, 3, 2)) / 4
KIND = cw.Levels([0, 0.25, 0.5, 0.75])


@pytest.fixture(autouse=True)
def one_batch_a_piece(monkeypatch):
    monkeypatch.setattr(fixed_batches, "CELLS_PER_PIECE", 0)


def tiny(**settings):
    small = {"data": KIND, "code": cw.Bits(10), "hidden": (8,), "epochs": 1, "verbose": 0}
    return cw.Autoencoder(**{**small, **settings})


@pytest.fixture(scope="module")
def model():
    return tiny().fit(ROWS)


@pytest.fixture(scope="module")
def codes(model):
    return model.encode(ROWS)


@pytest.mark.parametrize("num_rows", [1, PIECE - 1, PIECE, PIECE + 1, NUM_ROWS])
def test_codes_do_not_depend_on_where_pieces_end(model, codes, num_rows):
    np.testing.assert_array_equal(model.encode(ROWS[:num_rows]), codes[:num_rows])
    np.testing.assert_array_equal(np.concatenate(list(model.encode_pieces(ROWS[:num_rows]))), codes[:num_rows])
    np.testing.assert_array_equal(model.transform(ROWS[:num_rows]), cw.packing.unpack(codes[:num_rows], model.code_))
    whole = model.decode(codes)
    np.testing.assert_array_equal(model.decode(codes[:num_rows]), whole[:num_rows])
    np.testing.assert_array_equal(np.concatenate(list(model.decode_pieces(codes[:num_rows]))), whole[:num_rows])
    np.testing.assert_array_equal(model.reconstruct(ROWS[:num_rows]), model.reconstruct(ROWS)[:num_rows])


def test_codes_are_the_same_with_margin(model, codes):
    with_margin, margin = model.encode(ROWS, return_margin=True)
    np.testing.assert_array_equal(with_margin, codes)
    assert margin.shape == (NUM_ROWS, 10)


def test_no_codes_give_no_rows_and_no_rows_are_refused(model):
    assert [piece.shape for piece in model.decode_pieces(np.zeros((0, 2), np.uint8))] == [(0, 3, 2)]
    with pytest.raises(cw.errors.DataError, match=r"at least one row: got shape \(0, 3, 2\)"):
        list(model.encode_pieces(ROWS[:0]))


@pytest.mark.parametrize(
    "change",
    [
        np.asfortranarray,
        lambda x: x.astype(">f8"),
        lambda x: x.astype(">f4"),
        lambda x: np.repeat(x, 2, axis=0)[::2],
        lambda x: x[::-1].copy()[::-1],
        lambda x: (x * 4).astype(np.uint8),
        lambda x: (x * 4).astype(">u2"),
        lambda x: x.tolist(),
    ],
    ids=["fortran", "f8", "big-endian", "strided", "reversed", "class numbers", "big-endian numbers", "lists"],
)
def test_memory_layout_does_not_matter_in_any_piece(model, codes, change):
    np.testing.assert_array_equal(model.encode(change(ROWS)), codes)


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_memory_map_is_read_in_pieces_that_are_let_go(model, codes, tmp_path, monkeypatch, order):
    np.save(tmp_path / "x.npy", np.asarray((ROWS * 4).astype(np.uint8), order=order))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    let_go = []
    monkeypatch.setattr("codeword.autoencoders.autoencoder.let_go", let_go.append)
    np.testing.assert_array_equal(model.encode(mapped), codes)
    assert len(let_go) == 3


def test_uint8_stays_uint8_until_its_piece_comes(model, monkeypatch):
    seen = []
    check = cw.Levels.check

    def noted(self, x, **settings):
        seen.append((x.dtype, len(x)))
        return check(self, x, **settings)

    monkeypatch.setattr(cw.Levels, "check", noted)
    model.encode((ROWS * 4).astype(np.uint8))
    assert seen == [(np.uint8, PIECE), (np.uint8, PIECE), (np.uint8, 3)]


@pytest.mark.parametrize(
    ("data", "bad", "message"),
    [
        (KIND, 0.3, r"1 other values in rows 256 to 511, the first 0.3 at index \(300, 1\)"),
        (KIND, np.nan, r"1 NaN and 0 infinity \(inf\) in rows 256 to 511, the first at index \(300, 1\)"),
        (cw.UnitInterval(), -1.0, r"the first -1.0 at index \(300, 1\); min=-1, max=0.75"),
        (cw.UnitInterval(), np.inf, r"0 NaN and 1 infinity \(inf\) in rows 256 to 511, the first at index \(300, 1\)"),
        (cw.Binary(), 2.0, r"the first 2.0 at index \(300, 1\)"),
        (cw.Real(), 1e39, r"the first 1e\+39 at index \(300, 1\)"),
    ],
    ids=str,
)
def test_an_error_in_a_late_piece_names_the_row_in_all_rows(data, bad, message, untrained):
    rows = (ROWS.reshape(NUM_ROWS, 6) > 0.3) * (1.0 if isinstance(data, cw.Binary) else 0.75)
    model = tiny(data=data, objective=cw.objectives.Reconstruct()).fit(rows)
    model.encode(rows)
    rows[300, 1] = bad
    for method in (model.encode, model.transform, model.reconstruct, lambda x: list(model.encode_pieces(x))):
        with pytest.raises(cw.errors.DataError, match=message):
            method(rows)


def test_an_error_in_a_single_piece_is_told_as_before(model):
    rows = ROWS[:PIECE].copy()
    rows[7, 1, 0] = 0.3
    with pytest.raises(cw.errors.DataError, match=r"1 other values, the first 0.3 at index \(7, 1, 0\)"):
        model.encode(rows)


def test_bad_codes_in_a_late_piece_name_their_row():
    model = tiny(code=cw.Scalars(2, steps=5)).fit(ROWS[:9])
    codes = np.zeros((NUM_ROWS, 1), np.uint8)
    codes[300] = 0b111_000_00
    with pytest.raises(cw.errors.CodeError, match="got 7 in row 300"):
        model.decode(codes)


@pytest.mark.slow
def test_a_second_fit_encodes_with_its_own_weights(codes):
    model = tiny().fit(ROWS)
    np.testing.assert_array_equal(model.encode(ROWS), codes)
    model.set_params(seed=1).fit(ROWS)
    again = tiny(seed=1).fit(ROWS)
    assert (model.encode(ROWS) != codes).any()
    np.testing.assert_array_equal(model.encode(ROWS), again.encode(ROWS))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).encode(ROWS), again.encode(ROWS))
    np.testing.assert_array_equal(copy.deepcopy(model).encode(ROWS), again.encode(ROWS))


# From file to file


@pytest.mark.parametrize("suffix", ["npy", "csv", "parquet"])
def test_files_are_encoded_and_decoded_in_pieces(tmp_path, suffix):
    flat = ROWS.reshape(NUM_ROWS, 6)
    model = tiny().fit(flat)
    codes = model.encode(flat)
    write_array(tmp_path / f"x.{suffix}", flat)
    with open_rows(tmp_path / f"x.{suffix}") as rows:
        np.testing.assert_array_equal(np.concatenate(list(model.encode_pieces(rows))), codes)
    write_array(tmp_path / f"codes.{suffix}", codes)
    with open_codes(tmp_path / f"codes.{suffix}") as (packed, _):
        np.testing.assert_array_equal(np.concatenate(list(model.decode_pieces(packed))), model.decode(codes))


@pytest.mark.slow
def test_the_commands_write_what_the_library_gives_and_nothing_after_a_late_error(tmp_path):
    flat = ROWS.reshape(NUM_ROWS, 6)
    model = tiny().fit(flat)
    path = tmp_path / "m.codeword"
    model.save(path)

    def run(*words, exit_code=0):
        result = CliRunner().invoke(main, [str(word) for word in words])
        assert result.exit_code == exit_code, result.output
        return result.output

    for suffix in ("npy", "csv", "parquet"):
        x, packed, decoded = (tmp_path / f"{name}.{suffix}" for name in ("x", "codes", "decoded"))
        write_array(x, flat)
        assert json.loads(run("encode", path, x, packed, "--json"))["rows"] == NUM_ROWS
        np.testing.assert_array_equal(read_codes(packed, fingerprint=model.fingerprint_)[0], model.encode(flat))
        assert json.loads(run("decode", path, packed, decoded, "--json"))["shape"] == [NUM_ROWS, 6]
        np.testing.assert_array_equal(read_array(decoded), model.decode(model.encode(flat)))
        bad = flat.copy()
        bad[300, 1] = 0.3
        write_array(x, bad)
        before = sorted(tmp_path.iterdir())
        told = run("encode", path, x, tmp_path / f"never.{suffix}", "-q", exit_code=1)
        assert "at index (300, 1)" in told
        assert sorted(tmp_path.iterdir()) == before
    run("encode", path, x, "--store", tmp_path / "never.duckdb", "-q", exit_code=1)
    assert not (tmp_path / "never.duckdb").exists()
