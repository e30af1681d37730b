"""The .codeword file: written and read back exactly, never half written, and refused when damaged or hostile."""

import errno
import hashlib
import itertools
import json
import os
import subprocess
import sys
import time
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import codeword as cw
from codeword.errors import ModelFileError, OutputPathError, ParameterError
from codeword.files.model_file import CONFIG, MANIFEST, WEIGHTS, fingerprint, read_model_file, write_model_file

CONFIG_VALUES: dict[str, Any] = {"hidden": [8], "loss": "mse", "noise": None, "rate": 0.1}
ARRAYS = {"encoder/000/kernel": np.arange(6, dtype=np.float32).reshape(2, 3), "scale": np.array(2.5)}

plain_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
configs = st.dictionaries(st.text(), plain_values, max_size=4)
arrays_of_numbers = st.sampled_from(["?", "u1", "<i4", ">i8", "<f2", "<f4", ">f4", "<f8"]).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
)
named_arrays = st.dictionaries(st.text().filter(lambda name: name != "__metadata__"), arrays_of_numbers, max_size=3)


def assert_same(read: tuple[dict[str, Any], dict[str, np.ndarray]], config: Any, arrays: dict[str, np.ndarray]) -> None:
    assert read[0] == config
    assert set(read[1]) == set(arrays)
    for name, array in arrays.items():
        assert (read[1][name].shape, read[1][name].dtype) == (array.shape, array.dtype.newbyteorder("<"))
        np.testing.assert_array_equal(read[1][name], array)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "model.codeword"
    write_model_file(path, CONFIG_VALUES, ARRAYS)
    return path


# What comes back


@settings(deadline=None)
@given(configs, named_arrays)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, config: dict[str, Any], arrays: dict[str, np.ndarray]
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.codeword"
    write_model_file(path, config, arrays)
    read = read_model_file(path)
    assert_same(read, config, arrays)
    assert fingerprint(config, arrays) == fingerprint(*read)


def test_array_layout_is_not_kept_but_numbers_and_shape_are(tmp_path: Path) -> None:
    arrays = {"f": np.asfortranarray(ARRAYS["encoder/000/kernel"]), "strided": np.arange(9.0)[::2]}
    write_model_file(tmp_path / "m", {}, arrays)
    assert_same(read_model_file(tmp_path / "m"), {}, arrays)


def test_the_same_model_is_the_same_file(path: Path, tmp_path: Path) -> None:
    backwards = (dict(reversed(CONFIG_VALUES.items())), dict(reversed(ARRAYS.items())))
    (tmp_path / "elsewhere").mkdir()
    other = tmp_path / "elsewhere" / "other name.codeword"
    write_model_file(other, *backwards)
    assert fingerprint(*backwards) == fingerprint(CONFIG_VALUES, ARRAYS)
    assert other.read_bytes() == path.read_bytes()


def test_the_file_is_a_plain_zip_of_three_stored_members(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == [CONFIG, WEIGHTS, MANIFEST]
        assert all(info.file_size == info.compress_size for info in archive.infolist())
        manifest = json.loads(archive.read(MANIFEST))
        contents = {name: archive.read(name) for name in (CONFIG, WEIGHTS)}
    assert manifest == {
        "format": "codeword",
        "format_version": [1, 0],
        "library_version": cw.__version__,
        "members": {
            name: {"sha256": hashlib.sha256(content).hexdigest(), "num_bytes": len(content)}
            for name, content in contents.items()
        },
    }


def test_the_same_values_are_the_same_bytes_in_every_version(path: Path) -> None:
    contents = contents_of(path)
    assert contents[CONFIG] == b'{\n "hidden": [\n  8\n ],\n "loss": "mse",\n "noise": null,\n "rate": 0.1\n}'
    manifest = json.loads(contents[MANIFEST])
    assert contents[MANIFEST] == json.dumps(manifest, indent=1, sort_keys=True).encode()
    assert list(manifest) == ["format", "format_version", "library_version", "members"]
    with zipfile.ZipFile(path) as archive:
        assert {(info.date_time, info.create_system) for info in archive.infolist()} == {((1980, 1, 1, 0, 0, 0), 3)}


def test_values_that_are_no_json_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Out of range float values"):
        write_model_file(tmp_path / "m", {"rate": float("nan")}, {})
    with pytest.raises(ValueError, match="Out of range float values"):
        fingerprint({"rate": float("inf")}, {})
    assert list(tmp_path.iterdir()) == []


def test_the_fingerprint_is_the_documented_one() -> None:
    digest = hashlib.sha256(b'{"a": 1, "b": [null, 0.5]}')
    digest.update(b'["w", "<f4", [1, 2]]' + np.array([[1, 2]], "<f4").tobytes())
    config = {"b": [None, 0.5], "a": 1}
    assert fingerprint(config, {"w": np.array([[1, 2]], ">f4")}) == digest.hexdigest()


@pytest.mark.parametrize(
    ("config", "arrays"),
    [
        ({"rate": 0.2}, {}),
        ({"rate": 1e-300}, {}),
        ({"extra": None}, {}),
        ({}, {"scale": np.nextafter(ARRAYS["scale"], 9)}),
        ({}, {"scale": ARRAYS["scale"].astype(np.float32)}),
        ({}, {"scale": ARRAYS["scale"].reshape(1)}),
        ({}, {"encoder/000/kernel": ARRAYS["encoder/000/kernel"].reshape(3, 2)}),
        ({}, {"encoder/000/kernel": ARRAYS["encoder/000/kernel"][::-1]}),
        ({}, {"extra": np.zeros(0)}),
    ],
)
def test_any_change_changes_the_fingerprint(config: dict[str, Any], arrays: dict[str, Any]) -> None:
    assert fingerprint({**CONFIG_VALUES, **config}, {**ARRAYS, **arrays}) != fingerprint(CONFIG_VALUES, ARRAYS)


# Damage


def flipped(content: bytes, position: int, bit: int) -> bytes:
    changed = bytearray(content)
    changed[position] ^= 1 << bit
    return bytes(changed)


def test_a_file_cut_off_anywhere_is_refused(path: Path) -> None:
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ModelFileError, match=r"model\.codeword: "):
            read_model_file(path)


def test_a_flip_of_any_bit_is_refused(path: Path) -> None:
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        contents = [(info.header_offset + 30 + len(info.filename), info.file_size) for info in archive.infolist()]
    rng = np.random.default_rng(0)
    for position in range(len(whole)):
        in_member = any(start <= position < start + size for start, size in contents)
        for bit in [int(rng.integers(8))] if in_member else range(8):
            path.write_bytes(flipped(whole, position, bit))
            with pytest.raises(ModelFileError, match=r"model\.codeword: "):
                read_model_file(path)


@pytest.mark.parametrize("content", [b"", b"PK", b"no zip at all" * 99, b"\x89HDF\r\n\x1a\n" + bytes(500)])
def test_what_is_no_zip_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.codeword").write_bytes(content)
    with pytest.raises(ModelFileError, match=r"is not a complete \.codeword file \(it does not end like a zip\)"):
        read_model_file(tmp_path / "m.codeword")


def test_what_is_not_there_or_a_folder_is_not_found(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.codeword", tmp_path):
        with pytest.raises(FileNotFoundError, match=f"{path} must be a .codeword file: got no such file"):
            read_model_file(path)


# Hostile edits: hand-made zips whose hashes are right


def contents_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_zip(path: Path, contents: dict[str, bytes], *, seal: bool = True, manifest: Any = None, **info: Any) -> None:
    """Writes members as they come; `info` sets attributes of the weights' entry."""
    if seal:
        described = json.loads(contents[MANIFEST]) | (manifest or {})
        for name in (CONFIG, WEIGHTS):
            content = contents.get(name, b"")
            described["members"][name] = {"sha256": hashlib.sha256(content).hexdigest(), "num_bytes": len(content)}
        contents = {**contents, MANIFEST: json.dumps(described).encode()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            entry = zipfile.ZipInfo(name)
            for attribute, value in info.items() if name == WEIGHTS else ():
                setattr(entry, attribute, value)
            archive.writestr(entry, content)


def test_the_hand_made_zip_itself_is_accepted(path: Path) -> None:
    write_zip(path, contents_of(path))
    assert_same(read_model_file(path), CONFIG_VALUES, ARRAYS)


@pytest.mark.parametrize("name", ["extra.txt", "../evil.py", "/etc/passwd", "a/../../b", "config.json/", "CONFIG.JSON"])
def test_an_extra_member_is_refused_and_nothing_is_unpacked(path: Path, name: str) -> None:
    write_zip(path, {**contents_of(path), name: b"x"})
    before = sorted(path.parent.parent.rglob("*"))
    with pytest.raises(
        ModelFileError, match=r"must hold exactly config\.json, weights\.safetensors and manifest\.json"
    ):
        read_model_file(path)
    assert sorted(path.parent.parent.rglob("*")) == before


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS, MANIFEST])
def test_a_missing_or_renamed_member_is_refused(path: Path, name: str) -> None:
    contents = contents_of(path)
    content = contents.pop(name)
    for changed in (contents, {**contents, f"../{name}": content}):
        write_zip(path, changed, seal=False)
        with pytest.raises(ModelFileError, match="must hold exactly"):
            read_model_file(path)


def test_a_member_that_is_there_twice_is_refused(path: Path) -> None:
    with warnings.catch_warnings(), zipfile.ZipFile(path, "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr(CONFIG, b"{}")
    with pytest.raises(ModelFileError, match="must hold exactly"):
        read_model_file(path)


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS])
def test_content_that_does_not_match_its_hash_is_refused(path: Path, name: str) -> None:
    contents = contents_of(path)
    write_zip(path, {**contents, name: contents[name] + b" "}, seal=False)
    with pytest.raises(ModelFileError, match=f"`{name}` does not match its SHA-256 in the manifest. It is damaged"):
        read_model_file(path)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (b'{"a": 1, "a": 2}', "a key is repeated"),
        (b'{"a": {"b": 1, "b": 1}}', "a key is repeated"),
        (b'{"a": NaN}', "NaN is not a number"),
        (b'{"a": -Infinity}', "-Infinity is not a number"),
        (b'{"a": 1', "not valid JSON"),
        (b'{"a": "\xff"}', "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b'{"a": ' * 100_000, "not valid JSON"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "not valid JSON"),
        (b"[1, 2]", "not a JSON object"),
        (b"null", "not a JSON object"),
    ],
)
def test_a_configuration_that_is_no_proper_json_object_is_refused(path: Path, config: bytes, message: str) -> None:
    write_zip(path, {**contents_of(path), CONFIG: config})
    with pytest.raises(ModelFileError, match=f"`{CONFIG}` is .*{message}"):
        read_model_file(path)


def test_the_manifest_is_read_as_strictly(path: Path) -> None:
    contents = contents_of(path)
    twice = contents[MANIFEST].replace(b'"format":', b'"format": "other", "format":')
    write_zip(path, {**contents, MANIFEST: twice}, seal=False)
    with pytest.raises(ModelFileError, match=r"`manifest.json` is not valid JSON \(a key is repeated\)"):
        read_model_file(path)


def test_a_flipped_manifest_that_the_zip_does_not_notice_is_refused_or_changes_nothing(path: Path) -> None:
    contents, rng = contents_of(path), np.random.default_rng(0)
    for position in range(len(contents[MANIFEST])):
        changed = flipped(contents[MANIFEST], position, int(rng.integers(8)))
        write_zip(path, {**contents, MANIFEST: changed}, seal=False)
        try:
            read = read_model_file(path)
        except ModelFileError:
            continue
        assert_same(read, CONFIG_VALUES, ARRAYS)


@pytest.mark.parametrize(
    "weights",
    [
        b"",
        b"\xff" * 100,
        (2).to_bytes(8, "little") + b"[]",
        (70).to_bytes(8, "little")
        + b'{"w":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,8]}}   '
        + bytes(9),
        (60).to_bytes(8, "little") + b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}      ' + bytes(8),
    ],
)
def test_weights_that_are_no_safetensors_are_refused(path: Path, weights: bytes) -> None:
    write_zip(path, {**contents_of(path), WEIGHTS: weights})
    with pytest.raises(ModelFileError, match="cannot be read"):
        read_model_file(path)


def test_a_newer_major_version_says_upgrade(path: Path) -> None:
    write_zip(path, contents_of(path), manifest={"format_version": [2, 0], "library_version": "9.1"})
    with pytest.raises(ModelFileError, match=r"got 2.0, written by codeword 9.1. Upgrade codeword."):
        read_model_file(path)


def test_a_newer_minor_version_with_more_in_its_manifest_is_read(path: Path) -> None:
    write_zip(path, contents_of(path), manifest={"format_version": [1, 7], "comment": "new"})
    assert_same(read_model_file(path), CONFIG_VALUES, ARRAYS)


@pytest.mark.parametrize(
    "manifest",
    [
        {"format": "keras"},
        {"format": None},
        {"format_version": 1},
        {"format_version": ["1", "0"]},
        {"format_version": [1]},
        {"format_version": [1, "0"]},
        {"format_version": [1, 0, 0]},
        {"format_version": [True, False]},
        {"format_version": None},
    ],
)
def test_a_manifest_of_another_format_is_refused(path: Path, manifest: dict[str, Any]) -> None:
    write_zip(path, contents_of(path), manifest=manifest)
    with pytest.raises(ModelFileError, match="does not name the codeword format"):
        read_model_file(path)


@pytest.mark.parametrize("members", [None, [], {}, {CONFIG: {}}, {CONFIG: {}, WEIGHTS: {}, "more": {}}])
def test_a_manifest_without_the_members_is_refused(path: Path, members: Any) -> None:
    contents = contents_of(path)
    manifest = {**json.loads(contents[MANIFEST]), "members": members}
    write_zip(path, {**contents, MANIFEST: json.dumps(manifest).encode()}, seal=False)
    with pytest.raises(ModelFileError, match="does not list the members"):
        read_model_file(path)


@pytest.mark.parametrize(
    "info",
    [{"compress_type": zipfile.ZIP_DEFLATED}, {"compress_type": zipfile.ZIP_BZIP2}, {"external_attr": 0o120777 << 16}],
)
def test_a_compressed_member_or_a_link_is_refused(path: Path, info: dict[str, int]) -> None:
    write_zip(path, contents_of(path), **info)
    with pytest.raises(ModelFileError, match="is compressed, encrypted or a link"):
        read_model_file(path)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(path: Path) -> None:
    write_zip(path, {**contents_of(path), WEIGHTS: bytes(50 * 2**20)}, compress_type=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 2**20
    with pytest.raises(ModelFileError, match="compressed"):
        read_model_file(path)


def patch_directory(path: Path, offset: int, value: bytes) -> None:
    """Overwrites bytes of the weights' entry in the zip's central directory."""
    whole = bytearray(path.read_bytes())
    entry = whole.rindex(WEIGHTS.encode()) - 46
    assert whole[entry : entry + 4] == b"PK\x01\x02"
    whole[entry + offset : entry + offset + len(value)] = value
    path.write_bytes(whole)


def test_an_encrypted_member_is_refused(path: Path) -> None:
    patch_directory(path, 8, b"\x01\x00")
    with pytest.raises(ModelFileError, match="compressed, encrypted or a link"):
        read_model_file(path)


@pytest.mark.parametrize("num_bytes", [2**31, 2**32 - 2, 10])
def test_a_size_that_lies_is_refused(path: Path, num_bytes: int) -> None:
    size = num_bytes.to_bytes(4, "little")
    patch_directory(path, 24, size)
    with pytest.raises(ModelFileError, match=f"`weights.safetensors` claims {num_bytes} bytes"):
        read_model_file(path)
    patch_directory(path, 20, size + size)
    with pytest.raises(ModelFileError, match=r"claims|is not a complete"):
        read_model_file(path)


# Writing: whole or not at all


def test_a_folder_that_is_missing_or_in_the_way_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for target, received in ((tmp_path / "missing" / "m", "No such file"), (tmp_path / "folder", "Is a directory")):
        with pytest.raises(OutputPathError, match=f"got {received}"):
            write_model_file(target, CONFIG_VALUES, ARRAYS)
    assert sorted(tmp_path.rglob("*")) == [tmp_path / "folder"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_an_old_file_survives_a_write_that_fails(
    path: Path, monkeypatch: pytest.MonkeyPatch, step: str, failure: BaseException
) -> None:
    def fail(*args: Any) -> None:
        raise failure

    monkeypatch.setattr(os, step, fail)
    with pytest.raises((OutputPathError, KeyboardInterrupt)) as caught:
        write_model_file(path, {"new": True}, {})
    if isinstance(failure, OSError):
        assert "got No space left on device." in str(caught.value)
    assert list(path.parent.iterdir()) == [path]
    assert_same(read_model_file(path), CONFIG_VALUES, ARRAYS)


SAVE_FOR_EVER = """
import sys
import numpy as np
from codeword.files.model_file import write_model_file
number = 0
while True:
    write_model_file(sys.argv[1], {"number": number}, {"w": np.full(500_000, number, np.float32)})
    if number == 0:
        print("saving", flush=True)
    number += 1
"""


@pytest.mark.slow
def test_a_killed_process_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "model.codeword"
    delays = np.random.default_rng(0).uniform(0, 0.05, 10)
    for delay in delays:
        with subprocess.Popen([sys.executable, "-c", SAVE_FOR_EVER, str(path)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"saving\n"
            time.sleep(delay)
            process.kill()
        config, arrays = read_model_file(path)
        assert (arrays["w"] == config["number"]).all()


def test_a_new_file_may_be_read_by_whom_the_umask_allows(tmp_path: Path) -> None:
    previous = os.umask(0o027)
    try:
        write_model_file(tmp_path / "m", {}, {})
    finally:
        os.umask(previous)
    assert (tmp_path / "m").stat().st_mode & 0o777 == 0o640


# The whole road: codeword.load


@pytest.fixture(scope="module")
def model() -> cw.Autoencoder:
    x = np.random.default_rng(0).normal(1e6, 5, (64, 6))
    return cw.Autoencoder(data=cw.Real(), code=cw.Bits(8), hidden=(8,), epochs=1, verbose=0).fit(x)


@pytest.fixture
def saved(model: cw.Autoencoder, tmp_path: Path) -> Path:
    model.save(tmp_path / "saved.codeword")
    return tmp_path / "saved.codeword"


def test_a_loaded_model_is_the_saved_one(model: cw.Autoencoder, saved: Path) -> None:
    loaded = cw.load(saved).set_params(verbose=0)
    x = np.random.default_rng(1).normal(1e6, 5, (9, 6))
    np.testing.assert_array_equal(loaded.encode(x), model.encode(x))
    np.testing.assert_array_equal(loaded.reconstruct(x), model.reconstruct(x))
    assert loaded.fingerprint_ == model.fingerprint_
    assert loaded.get_params() == {**model.get_params(), "data": cw.Real(spread="common"), "code": cw.Bits(8)}
    again = saved.with_name("again.codeword")
    assert loaded.save(again) == model.fingerprint_
    assert again.read_bytes() == saved.read_bytes()


Edit = Callable[[dict[str, Any], dict[str, np.ndarray]], Any]


def setting(name: str, value: Any) -> Edit:
    return lambda config, arrays: config.update({name: value})


def parameter(name: str, value: Any) -> Edit:
    return lambda config, arrays: config["parameters"].update({name: value})


def array(change: Callable[[np.ndarray], np.ndarray], part: str = "encoder/000") -> Edit:
    def edit(config: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        name = next(name for name in arrays if name.startswith(part))
        arrays[name] = change(arrays[name])

    return edit


def swap_two_of_one_shape(config: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    first, second = next(
        (first, second)
        for first, second in itertools.combinations(sorted(arrays), 2)
        if first[:3] == second[:3] == "enc" and arrays[first].shape == arrays[second].shape
    )
    number, other = first.split("/")[1], second.split("/")[1]
    arrays[first.replace(number, other)] = arrays.pop(first)
    arrays[second.replace(other, number)] = arrays.pop(second)


def rename(prefix: str, new: str) -> Edit:
    def edit(config: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        arrays[new] = arrays.pop(next(name for name in arrays if name.startswith(prefix)))

    return edit


HOSTILE: dict[str, Edit] = {
    "names of no strings": setting("feature_names", [1, 2, 3, 4, 5, 6]),
    "names of too few columns": setting("feature_names", ["a"]),
    "huge hidden": parameter("hidden", [10**9]),
    "huge shape": setting("input_shape", [10**9, 10**9]),
    "huge code": setting("code", {"kind": "Scalars", "num_scalars": 10**12, "steps": 256}),
    "huge choices": setting("code", {"kind": "Choices", "num_choices": 10**9, "size": 65_536}),
    "count of levels": setting("data", {"kind": "Levels", "values": 10**7}),
    "text for edges": setting("data", {"kind": "Levels", "values": [0, 1], "edges": ["a"]}),
    "unknown data": setting("data", {"kind": "Words"}),
    "ratings": setting("data", {"kind": "Ratings", "low": 1, "high": 5}),
    "unhashable data": setting("data", {"kind": []}),
    "unknown code": setting("code", {"kind": "Trits"}),
    "another code": setting("code", {"kind": "Bits", "num_bits": 7}),
    "other statistics": setting("data", {"kind": "UnitInterval"}),
    "transposed": array(lambda weights: weights.T),
    "too few": array(lambda weights: weights[1:]),
    "array of another part": lambda config, arrays: arrays.update({"optimizer/0": np.zeros(1)}),
    "array without a part": lambda config, arrays: arrays.update({"encoder": np.zeros(0, "f4")}),
    "swapped": swap_two_of_one_shape,
    "reordered": rename("encoder/000", "encoder/998/kernel"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_well_sealed_file_of_no_possible_model_is_refused(saved: Path, name: str) -> None:
    config, arrays = read_model_file(saved)
    HOSTILE[name](config, arrays)
    write_model_file(saved, config, arrays)
    start = time.perf_counter()
    with pytest.raises(ModelFileError, match=r"saved\.codeword: "):
        cw.load(saved)
    assert time.perf_counter() - start < 5  # no network of 10**9 units was begun


@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_own_models_that_the_file_needs_or_does_not_know_are_told(saved: Path, part: str) -> None:
    with pytest.raises(ParameterError, match=f"saved with no own {part}: got {part}=<object"):
        cw.load(saved, **{part: object()})
    config, arrays = read_model_file(saved)
    write_model_file(saved, {**config, f"own_{part}": True}, arrays)
    with pytest.raises(ParameterError, match=f"saved with an own {part}: got {part}=None"):
        cw.load(saved)
