"""The table of code kinds: sizes, bytes, the decoder's input, and settings in and out."""

import json
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from codeword.code_kinds import (
    Bits,
    Choices,
    CodeKind,
    Floats,
    Residual,
    Scalars,
    code_kind_from_config,
    parse_code_kind,
    scalar_values,
)
from codeword.errors import ParameterError
from codeword.settings import replace_nested

sizes = st.integers(2, 65_536)
kinds = st.one_of(
    st.builds(Bits, st.integers(1, 10**6)),
    st.builds(Scalars, st.integers(1, 10**6), steps=sizes),
    st.lists(sizes, min_size=1, max_size=9).map(lambda steps: Scalars(len(steps), steps=steps)),
    st.builds(Choices, st.integers(1, 10**6), size=sizes),
    st.builds(Residual, st.integers(1, 10**6), size=sizes),
    st.builds(Floats, st.integers(1, 10**6)),
)


@pytest.mark.parametrize(
    ("kind", "num_symbols", "widths", "dtype", "num_bytes"),
    [
        (Bits(1), 1, (1,), np.uint8, 1),
        (Bits(10), 10, (1,) * 10, np.uint8, 2),
        (Bits(64), 64, (1,) * 64, np.uint8, 8),
        (Scalars(8), 8, (8,) * 8, np.uint8, 8),
        (Scalars(3, steps=2), 3, (1, 1, 1), np.uint8, 1),
        (Scalars(3, steps=3), 3, (2, 2, 2), np.uint8, 1),
        (Scalars(2, steps=257), 2, (9, 9), np.uint16, 3),
        (Scalars(2, steps=65_536), 2, (16, 16), np.uint16, 4),
        (Scalars(3, steps=(4, 300, 16)), 3, (2, 9, 4), np.uint16, 2),
        (Choices(8), 8, (8,) * 8, np.uint8, 8),
        (Choices(5, size=5), 5, (3,) * 5, np.uint8, 2),
        (Residual(8), 8, (8,) * 8, np.uint8, 8),
        (Residual(3, size=1024), 3, (10,) * 3, np.uint16, 4),
        (Floats(3), 3, (32, 32, 32), np.float32, 12),
    ],
    ids=str,
)
def test_symbols_and_bytes(kind: CodeKind, num_symbols: int, widths: tuple, dtype: type, num_bytes: int) -> None:
    assert (kind.num_symbols, kind.symbol_widths, kind.num_bytes) == (num_symbols, widths, num_bytes)
    assert kind.symbol_dtype is dtype


def test_bits_enter_the_decoder_as_signs() -> None:
    values = Bits(3).to_network(np.array([[0, 1, 1]], np.uint8))
    assert (values.dtype, values.tolist()) == (np.float32, [[-1.0, 1.0, 1.0]])


def test_scalars_enter_the_decoder_equally_spaced_from_minus_three_to_three() -> None:
    steps = (2, 3, 5, 256)
    values = Scalars(4, steps=steps).to_network(np.array([[0, 0, 0, 0], [1, 1, 1, 1], [1, 2, 4, 255]], np.uint8))
    assert values.dtype == np.float32
    assert values.tolist() == [[-3, -3, -3, -3], [3, 0, -1.5, np.float32(6 / 255 - 3)], [3, 3, 3, 3]]


@settings(deadline=None)
@given(st.integers(2, 65_536), st.data())
def test_a_step_is_its_share_of_the_range_rounded_once(steps: int, data: st.DataObject) -> None:
    step = data.draw(st.integers(0, steps - 1))
    value = Scalars(1, steps=steps).to_network(np.array([[step]]))[0, 0]
    assert value == pytest.approx(-3 + 6 * step / (steps - 1), rel=0, abs=2**-22)


def test_every_step_has_a_value_of_its_own() -> None:
    table = scalar_values((65_536, 3), -1.0, 1.0)
    assert table.shape == (2, 65_536)
    assert (np.diff(table[0]) > 0).all()
    assert table[1, :3].tolist() == [-1, 0, 1]
    assert (table[1, 3:] == 1).all()


def test_choices_enter_the_decoder_as_one_hot() -> None:
    values = Choices(2, size=3).to_network(np.array([[2, 0]], np.uint8))
    assert (values.dtype, values.tolist()) == (np.float32, [[[0, 0, 1], [1, 0, 0]]])


def test_floats_enter_the_decoder_as_they_are() -> None:
    values = Floats(2).to_network(np.array([[0.1, -7.0]]))
    assert (values.dtype, values.tolist()) == (np.float32, [[np.float32(0.1), -7.0]])


@settings(deadline=None)
@given(kinds)
def test_settings_survive_json(kind: CodeKind) -> None:
    assert code_kind_from_config(json.loads(json.dumps(kind.to_config()))) == kind


def test_numpy_numbers_are_as_good_as_python_numbers() -> None:
    kind = Scalars(np.int64(2), steps=np.array([4, 300]))
    assert json.loads(json.dumps(kind.to_config())) == {"kind": "Scalars", "num_scalars": 2, "steps": [4, 300]}
    assert kind == Scalars(2, steps=[4, 300])
    assert json.dumps(Choices(np.int32(3), size=np.uint16(9)).to_config()) == json.dumps(Choices(3, size=9).to_config())


@pytest.mark.parametrize(
    ("make", "received"),
    [
        (lambda: Bits(0), "0"),
        (lambda: Bits(-1), "-1"),
        (lambda: Bits(True), "True"),
        (lambda: Bits(8.0), "8.0"),
        (lambda: Bits("8"), "'8'"),
        (lambda: Floats(0), "0"),
        (lambda: Scalars(None), "None"),
        (lambda: Scalars(2, steps=1), "1"),
        (lambda: Scalars(2, steps=65_537), "65537"),
        (lambda: Scalars(2, steps=2.5), "2.5"),
        (lambda: Scalars(2, steps=True), "True"),
        (lambda: Scalars(2, steps=(2.7, 3)), "2.7"),
        (lambda: Scalars(2, steps="44"), "'44'"),
        (lambda: Scalars(2, steps=(4, 4, 4)), "3 for 2 scalars"),
        (lambda: Scalars(2, steps=()), "0 for 2 scalars"),
        (lambda: Scalars(2, steps=(4, 1)), "1"),
        (lambda: Choices(0), "0"),
        (lambda: Choices(2, size=1), "1"),
        (lambda: Choices(2, size=65_537), "65537"),
        (lambda: Bits(10**5_000), "a value of type int"),
    ],
)
def test_impossible_settings_are_refused(make: Any, received: str) -> None:
    with pytest.raises(ParameterError, match=rf"got {re.escape(received)}\."):
        make()


@pytest.mark.parametrize(
    ("config", "received"),
    [
        ({}, "None"),
        ({"kind": "Trits", "num_trits": 3}, "'Trits'"),
        ({"kind": ["Bits"], "num_bits": 3}, r"\['Bits'\]"),
        ({"kind": "Bits"}, "{}"),
        ({"kind": "Bits", "num_bits": 3, "steps": 4}, "{'num_bits': 3, 'steps': 4}"),
        ({"kind": "Bits", "num_bits": "3"}, "'3'"),
    ],
)
def test_a_config_that_describes_no_code_kind_is_refused(config: dict[str, Any], received: str) -> None:
    with pytest.raises(ParameterError, match=f"got {received}"):
        code_kind_from_config(config)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("bits:64", Bits(64)),
        (" Bits:10 ", Bits(10)),
        ("scalars:8", Scalars(8)),
        ("scalars:8x16", Scalars(8, steps=16)),
        ("choices:8x256", Choices(8, size=256)),
        ("residual:8", Residual(8)),
        ("residual:8x1024", Residual(8, size=1024)),
        ("floats:8", Floats(8)),
    ],
)
def test_the_command_line_writes_code_kinds_short(text: str, kind: CodeKind) -> None:
    assert parse_code_kind(text) == kind


@pytest.mark.parametrize("text", ["", "bits", "bits:", "bits:x", "bits:1.5", "trits:3", "bits:8x2", "scalars:8x16x2"])
def test_text_that_is_no_code_kind_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match=f"got '{text}'"):
        parse_code_kind(text)


def test_a_code_kind_that_is_well_written_but_impossible_says_why() -> None:
    with pytest.raises(ParameterError, match=r"`num_bits` must be an integer from 1 to 1048576: got 0\."):
        parse_code_kind("bits:0")


@pytest.mark.parametrize(
    ("kind", "shape", "width"),
    [
        (Bits(10), (10,), 10),
        (Scalars(3), (3,), 3),
        (Choices(5, size=7), (5, 7), 35),
        (Residual(5, size=7), (5,), 5),
        (Floats(2), (2,), 2),
    ],
    ids=str,
)
def test_the_decoder_takes_values_of_one_shape(kind: CodeKind, shape: tuple[int, ...], width: int) -> None:
    assert (kind.value_shape, kind.width) == (shape, width)
    symbols = np.zeros((4, kind.num_symbols), kind.symbol_dtype)
    assert kind.to_network(symbols).shape == (4, *shape)


@pytest.mark.parametrize("kind", [Bits, Scalars, Choices, Residual, Floats])
def test_a_code_has_at_most_a_million_symbols(kind: Any) -> None:
    assert kind(2**20).num_symbols == 2**20
    with pytest.raises(ParameterError, match=r"must be an integer from 1 to 1048576: got 1000000000000\."):
        kind(10**12)


def test_only_bits_have_a_hamming_distance() -> None:
    kinds = (Bits, Scalars, Choices, Residual, Floats)
    assert [kind.__name__ for kind in kinds if kind.has_hamming_distance] == ["Bits"]


def test_measured_defaults_and_the_arguments_of_the_layers() -> None:
    kinds = (Bits(4), Scalars(4), Choices(4), Floats(4))
    assert [(kind.default_noise, kind.default_swap) for kind in kinds] == [
        (0.2, 0.15),
        (0.0, 0.0),
        (0.0, 0.15),
        (0.0, 0.0),
    ]
    assert [kind.layer for kind in kinds] == ["SignBits", "ScalarQuantizer", "Hardmax", "NoCode"]
    scalars = {"steps": 256, "minimum": -3.0, "maximum": 3.0, "slope": "straight_through"}
    assert [kind.layer_arguments for kind in kinds] == [{}, scalars, {}, {}]


def test_settings_are_read_by_name_and_replaced_not_changed() -> None:
    kind = Scalars(3, steps=(4, 4, 16))
    assert kind.get_params() == {"num_scalars": 3, "steps": (4, 4, 16)}
    assert clone(kind, safe=False) is kind
    changed = replace_nested({"code": kind, "seed": 0}, {"code__num_scalars": 2, "code__steps": (2, 3), "seed": 1})
    assert changed == {"code": Scalars(2, steps=(2, 3)), "seed": 1}
    assert kind == Scalars(3, steps=(4, 4, 16))
    assert replace_nested({"code": None}, {"code": kind, "code__steps": 9}) == {"code": Scalars(3, steps=9)}


@pytest.mark.parametrize(
    ("current", "params", "message"),
    [
        ({"code": Bits(8)}, {"code__size": 3}, r"`size` is no setting of Bits\(num_bits=8\): choose from num_bits"),
        ({"code": None}, {"code__num_bits": 3}, "`code__num_bits` needs a `code` to change: got code=None"),
        ({"code": Bits(8)}, {"code__num_bits": 0}, "`num_bits` must be an integer from 1 to 1048576: got 0"),
    ],
)
def test_nested_settings_that_do_not_exist_are_refused(current: Any, params: Any, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        replace_nested(current, params)
