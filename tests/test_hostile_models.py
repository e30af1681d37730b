"""Model files of strangers cost no more than their size: limits before parsing, and no nonsense in the numbers."""

import json
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import codeword as cw
from codeword.cli import main
from codeword.errors import DiskError, ModelFileError, ParameterError
from codeword.files import model_file
from codeword.files.model_file import CONFIG, MANIFEST, WEIGHTS, check_json, read_model_file, write_model_file
from codeword.gates.saving import classes_from_config, classes_to_config

cw.Autoencoder, cw.HardGateClassifier, cw.RatingAutoencoder  # noqa: B018 - imported now, so that no limit counts it
GOLDEN = Path(__file__).parent / "golden/0.1"
Parts = tuple[dict[str, Any], dict[str, np.ndarray]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "m.codeword"


def refuse(path: Path, match: str, *, megabytes: float = 20, seconds: float = 2) -> None:
    """Expect a refusal that takes little, in time, in memory, and to read."""
    tracemalloc.start()
    start = time.perf_counter()
    try:
        with pytest.raises(ModelFileError, match=match) as caught:
            cw.load(path)
        assert tracemalloc.get_traced_memory()[1] < megabytes * 2**20 + 10 * path.stat().st_size
    finally:
        tracemalloc.stop()
    assert time.perf_counter() - start < seconds
    assert len(str(caught.value)) < 3_000
    assert str(caught.value).isprintable()


def edited(name: str, path: Path, change: Callable[[dict[str, Any], dict[str, np.ndarray]], Any]) -> Path:
    config, arrays = read_model_file(GOLDEN / name)
    change(config, arrays)
    write_model_file(path, config, arrays)
    return path


def with_text_ids(of: str, first: str, last: str) -> Callable[[Any, dict[str, np.ndarray]], None]:
    """Return a change that gives "users" or "items" texts as ids: `first` and a number, and at the end `last`."""

    def change(config: Any, arrays: dict[str, np.ndarray]) -> None:
        ids = [*(f"{first}{number:09d}" for number in range(len(arrays[f"biases/{of}"]) - 1)), last]
        arrays.pop(f"ids/{of}", None)
        arrays[f"ids/{of}/text"] = np.frombuffer("".join(ids).encode(), np.uint8)
        arrays[f"ids/{of}/ends"] = np.cumsum([len(each) for each in ids])

    return change


def unchecked(path: Path, monkeypatch: pytest.MonkeyPatch, config: Any, arrays: dict[str, Any]) -> None:
    """Write a file that our own writer would refuse."""
    with monkeypatch.context() as patch:
        patch.setattr(model_file, "check_json", lambda _: None)
        patch.setattr(model_file, "_check_header", lambda _: None)
        write_model_file(path, config, arrays)


# Limits before parsing


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"[" * 100 + b"]" * 100, "100 deep"),
        (b'{"a":' * 100, "100 deep"),
        (b"[" + b"[]," * 1_000 + b"[" * 99 + b"]" * 100, "100 deep"),
        (b"[" + b"1," * 300_000 + b"1]", "300001 values or more"),
        (b"[" + b"[]," * 200_000 + b"1]", "400001 values or more"),
        (b"{" + b",".join(b'"%d":0' % key for key in range(60_000)) + b"}", "60000 keys"),
        (b'"' * 2_000_000, "values or more"),
    ],
    ids=["depth", "depth of objects", "depth after many lists", "numbers", "lists", "keys", "quotes"],
)
def test_json_that_no_model_has_is_refused_before_it_is_parsed(content: bytes, found: str) -> None:
    with pytest.raises(ValueError, match=found):
        check_json(content)


@pytest.mark.parametrize(
    "value",
    [
        {"names": ['[{,:"', "\\", '\\"', '"]' * 99, "\\\\" * 99 + '"']},
        {"levels": list(range(65_536))},
        {"a": {"b": [[1], {"c": [None]}]}},
        {f"{key}": "{" * key for key in range(300)},
    ],
    ids=["brackets in texts", "many levels", "nested", "keys"],
)
def test_json_of_a_model_passes(value: Any) -> None:
    check_json(json.dumps(value).encode())


def numbers(count: int) -> bytes:
    return b"[" + b"1," * (count - 1) + b"1]"


def keys(count: int) -> bytes:
    return b"{" + b",".join(b'"%d":0' % key for key in range(count)) + b"}"


def deep(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


@pytest.mark.parametrize(("content", "most"), [(numbers, 2**18), (keys, 50_000), (deep, 64)])
def test_the_limits_of_json_are_exact(content: Callable[[int], bytes], most: int) -> None:
    check_json(content(most))
    with pytest.raises(ValueError, match="values or more, "):
        check_json(content(most + 1))


def test_texts_are_counted_as_well() -> None:
    check_json(json.dumps(["a"] * 200_000).encode())
    check_json(b'""' * (2**19 + 1))
    with pytest.raises(ValueError, match="it has 262145 values or more, 0 keys"):
        check_json(b'""' * (2**19 + 2))
    with pytest.raises(ValueError, match="50001 keys"):
        check_json(b'""' * (2**19 - 50_001) + keys(50_001))


def test_a_model_that_could_not_be_read_is_not_written(path: Path) -> None:
    for config in ({"a": json.loads(deep(64))}, {f"k{key}": 0 for key in range(50_001)}):
        with pytest.raises(ParameterError, match="must be a model that can be read again: got it has"):
            write_model_file(path, config, {})
    assert not path.exists()


def header(described: Any, *, longer: int = 0) -> bytes:
    text = json.dumps(described).encode()
    return (len(text) + longer).to_bytes(8, "little") + text


def test_the_limits_of_arrays_are_exact() -> None:
    for fits in (
        {f"{number}": {} for number in range(10_000)},
        {"n" * 1_000: {"shape": [1] * 32}},
    ):
        model_file._check_header(header(fits))
    for refused, found in (
        (header({f"{number}": {} for number in range(10_001)}), "it has 10001 arrays"),
        (header({f"{number}": {} for number in range(10_098)}), "it has 10098 arrays"),  # parsed, with some room
        (header({f"{number}": {} for number in range(10_099)}), r"its header claims \d+ bytes"),
        (header({"n": {"shape": json.loads(deep(63))}}), "at most 65 deep"),
        (header({"n" * 1_001: {"shape": [1]}}), "an array 'n{50}' of 1 axes"),
        (header({"n": {"shape": [1] * 33}}), "an array 'n' of 33 axes"),
        (header({}, longer=9), "its header claims 11 bytes"),
        (header([]), "no attribute"),
    ):
        with pytest.raises(ValueError, match=found):
            model_file._check_header(refused)


def test_a_megabyte_of_keys_is_refused_at_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unchecked(path, monkeypatch, {f"k{key}": 0 for key in range(60_000)}, {})
    refuse(path, r"`config\.json` is not valid JSON \(it has .*60000 keys")
    unchecked(path, monkeypatch, {f"k{key}\x1b[31m": 0 for key in range(40_000)}, {})
    refuse(path, "no model of this library is called None")


@pytest.mark.parametrize(
    ("arrays", "found"),
    [
        ({f"e/{number}": np.zeros(0, np.float32) for number in range(10_001)}, "10001 arrays"),
        ({"n" * 1_001: np.zeros(1, np.float32)}, "an array 'nn"),
        ({"n": np.zeros((1,) * 33, np.float32)}, "of 33 axes"),
    ],
    ids=["number", "name", "axes"],
)
def test_arrays_that_no_model_has_are_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch, arrays: dict[str, Any], found: str
) -> None:
    unchecked(path, monkeypatch, {"estimator": "Autoencoder"}, arrays)
    refuse(path, f"`weights.safetensors` cannot be read .*{found}")
    with pytest.raises(ParameterError, match="must be a model that can be read again"):
        write_model_file(path, {}, arrays)


def test_a_directory_of_many_members_is_refused_before_it_is_read(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(20_000):
            archive.writestr(f"{number}", b"")
    refuse(path, "its directory claims", megabytes=1)


def test_the_directory_of_three_members_has_room_and_no_more(path: Path) -> None:
    def check(num_bytes: int) -> None:
        path.write_bytes(bytes(50) + b"PK\5\6" + bytes(8) + num_bytes.to_bytes(4, "little") + bytes(6))
        with path.open("rb") as file:
            model_file._check_end(path, file)

    check(4_096)
    with pytest.raises(ModelFileError, match="its directory claims 4097 bytes"):
        check(4_097)


def test_a_64_bit_directory_in_a_small_file_is_refused(path: Path) -> None:
    content = bytearray((GOLDEN / "gate.codeword").read_bytes())
    content[-22:-22] = b"PK\x06\x07" + bytes(16)
    path.write_bytes(content)
    refuse(path, "its directory claims")


# The limits of 16 MiB and 16 GiB


@pytest.mark.parametrize(("name", "limit"), [(CONFIG, "MAX_TEXT_BYTES"), (WEIGHTS, "MAX_WEIGHT_BYTES")])
def test_a_member_may_be_as_large_as_its_limit_and_no_larger(
    path: Path, monkeypatch: pytest.MonkeyPatch, name: str, limit: str
) -> None:
    config, arrays = {"text": "x" * 5_000}, {"w": np.zeros(2_000, np.float32)}
    write_model_file(path, config, arrays)
    with zipfile.ZipFile(path) as archive:
        size = archive.getinfo(name).file_size
    monkeypatch.setattr(model_file, limit, size)
    assert read_model_file(path)[0] == config
    write_model_file(path, config, arrays)
    monkeypatch.setattr(model_file, limit, size - 1)
    with pytest.raises(ModelFileError, match=f"`{name}` claims {size} bytes"):
        read_model_file(path)
    with pytest.raises(ParameterError, match=f"got `{name}` of {size} bytes"):
        write_model_file(path, config, arrays)


def test_the_limits_are_those_of_the_document() -> None:
    assert (model_file.MAX_TEXT_BYTES, model_file.MAX_WEIGHT_BYTES) == (16 * 2**20, 16 * 2**30)


@pytest.mark.parametrize(("name", "size"), [(CONFIG, 16 * 2**20 + 1), (MANIFEST, 16 * 2**20 + 1), (WEIGHTS, 2**34 + 1)])
def test_a_member_that_is_too_large_is_refused_before_it_is_read(path: Path, name: str, size: int) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for member in (CONFIG, WEIGHTS, MANIFEST):
            archive.writestr(member, b"")
        info = archive.getinfo(name)
        info.file_size = info.compress_size = size
    with path.open("rb+") as file:  # a hole in front: as large as it claims, but nothing on the disk
        content = file.read()
        file.seek(size)
        file.write(content)
    with pytest.raises(ModelFileError, match=f"`{name}` claims {size} bytes|not a complete"):
        read_model_file(path)


# What a small file asks for


def test_a_thousand_layers_are_refused_and_so_are_they_in_the_constructor(path: Path) -> None:
    edited("model.codeword", path, lambda config, arrays: config["parameters"].update(hidden=[1] * 1_000))
    refuse(path, "`hidden` must be a sequence of integers of at least 1, at most 64 of them")
    edited("gate.codeword", path, lambda config, arrays: config.update(hidden=[1] * 1_000))
    refuse(path, "`hidden` must be a sequence of integers of at least 1, at most 64 of them")
    with pytest.raises(
        ParameterError, match="`hidden` must be a sequence of integers of at least 1, at most 64 of them"
    ):
        cw.Autoencoder(hidden=(1,) * 65).fit(np.eye(4))


def test_one_long_id_costs_its_own_length_only(path: Path) -> None:
    edited("ratings.codeword", path, with_text_ids("users", "", "~" * 200_000))
    model = cw.load(path)  # imports are not counted
    tracemalloc.start()
    try:
        model = cw.load(path)
        model.save(path)
        assert tracemalloc.get_traced_memory()[1] < 10 * path.stat().st_size
    finally:
        tracemalloc.stop()
    assert model.users_[-1] == "~" * 200_000


def test_a_model_whose_items_would_take_far_more_than_its_file_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codeword.recommenders.saving.MAX_FACTOR_BYTES", 0)
    path.write_bytes((GOLDEN / "ratings.codeword").read_bytes())
    cw.load(path)
    monkeypatch.setattr("codeword.recommenders.saving.MAX_FACTOR_RATIO", 0)
    refuse(path, "bytes would take [0-9,]+ in memory")


def test_one_long_class_label_is_refused() -> None:
    labels = [*(f"{number:05d}" for number in range(1_000)), "~" * 20_000]
    with pytest.raises(ParameterError, match="1001 class labels must have at most 16760 characters: got 20000"):
        classes_from_config({"dtype": "U", "values": labels})
    with pytest.raises(ParameterError, match="must have at most"):
        classes_to_config(np.array(labels, object))
    assert len(classes_from_config({"dtype": "U", "values": labels[:-1]})) == 1_000


# Nonsense


def weights_of(part: str, value: float) -> Callable[[Any, Any], None]:
    def change(config: Any, arrays: dict[str, np.ndarray]) -> None:
        name = next(name for name in arrays if name.endswith(part))
        arrays[name] = np.full_like(arrays[name], value)

    return change


@pytest.mark.parametrize("value", [-1.0, -1e-30, np.nan, np.inf, -np.inf])
def test_a_negative_variance_is_refused(path: Path, value: float) -> None:
    edited("model.codeword", path, weights_of("moving_variance", value))
    refuse(path, "moving_variance` must be finite and not negative", seconds=10)


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
def test_a_spread_that_is_not_positive_is_refused(path: Path, value: float) -> None:
    edited("gate.codeword", path, weights_of("statistics/scale", value))
    refuse(path, "`statistics/scale` must be finite and positive", seconds=10)


@pytest.mark.parametrize(
    ("low", "high", "step"),
    [(-1.7e308, 1.7e308, None), (0, 1e31, None), (1, 5, 2.0**70), (1e9, 1e9 + 1, None), (5, 1, None), (1, 1, None)],
)
def test_a_scale_that_ratings_cannot_have_is_refused(path: Path, low: float, high: float, step: float | None) -> None:
    data = {"kind": "Ratings", "low": low, "high": high, "step": step}
    edited("ratings.codeword", path, lambda config, arrays: config.update(data=data))
    refuse(path, "it describes no possible RatingAutoencoder", seconds=10)


@pytest.mark.parametrize("value", [2**200, 10**400, True, "1", float("inf"), None])
def test_ratings_take_only_numbers_of_a_scale(value: Any) -> None:
    for settings in ({"low": value, "high": 5}, {"low": 1, "high": value}, {"low": 1, "high": 5, "step": value}):
        if settings.get("step", 1) is not None:
            with pytest.raises(ParameterError, match="of `Ratings` must be"):
                cw.Ratings(**settings)


def test_levels_are_few_and_within_float32() -> None:
    for levels in ([0, 2**200], [-1.7e308, 1.7e308], list(range(70_000))):
        with pytest.raises(ParameterError, match="`levels` must"):
            cw.Levels(levels)


@pytest.mark.parametrize("text", ["1e999", "-1e999", "1" * 5_000])
def test_numbers_that_python_cannot_hold_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    plain = json.dumps
    monkeypatch.setattr(model_file.json, "dumps", lambda *args, **kw: plain(*args, **kw).replace('"HERE"', text))
    write_model_file(path, {"rate": "HERE"}, {})
    monkeypatch.undo()
    refuse(path, r"`config\.json` is not valid JSON")


def test_what_a_stranger_wrote_is_shown_without_control_characters(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_file, "FORMAT_VERSION", (9, 0))
    monkeypatch.setattr(model_file, "__version__", "\x1b[2J\x1b]0;evil\x07\u202e" + "9" * 10**6)
    write_model_file(path, {}, {})
    monkeypatch.undo()
    refuse(path, r"written by codeword \\x1b\[2J\\x1b\]0;evil\\x07\\u202e999")


def test_a_disk_that_fails_while_a_file_is_read_is_not_called_damage(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    write_model_file(path, {}, {})
    monkeypatch.setattr(model_file, "_check_end", fail)
    with pytest.raises(DiskError, match="got Input/output error"):
        read_model_file(path)


def test_a_file_that_the_system_does_not_let_us_read_is_not_called_damaged(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise OSError(24, "Too many open files")

    path.write_bytes((GOLDEN / "gate.codeword").read_bytes())
    monkeypatch.setattr("codeword.files.input_file.os.open", fails)
    with pytest.raises(DiskError, match=r"m\.codeword must be readable: got Too many open files"):
        read_model_file(path)


def test_ids_of_a_stranger_are_printed_without_control_characters(path: Path) -> None:
    edited("ratings.codeword", path, with_text_ids("items", "\x1b[2J", "~" * 100_000))
    user = cw.load(path).users_[0]
    result = CliRunner().invoke(main, ["recommend", str(path), "--user", str(user), "-k", "1000"])
    assert result.exit_code == 0, result.output
    assert "\\x1b[2J00000" in result.output
    assert result.output.replace("\n", "").isprintable()
    assert len(result.output) < 20_000


def test_a_million_recommendations_cost_as_much_as_there_are_items() -> None:
    model = cw.load(GOLDEN / "ratings.codeword").set_params(verbose=0)
    items, ratings = model.recommend(model.users_[:2], k=10**9)
    assert items.shape == ratings.shape == (2, len(model.items_))
    np.testing.assert_array_equal(items[:, :3], model.recommend(model.users_[:2], k=3)[0])
