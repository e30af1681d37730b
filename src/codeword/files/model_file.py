"""The `.codeword` file: a stored zip of configuration, weights and manifest (no Keras, no pickle, no code).

`docs/formats.md` describes every byte. Reading trusts nothing: sizes are checked before anything is unpacked or parsed,
members against their SHA-256, and only plain values and arrays come out.
"""

import errno
import hashlib
import io
import json
import math
import os
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError

from codeword import __version__
from codeword.errors import ModelFileError, ParameterError
from codeword.files.input_file import opened, reading
from codeword.files.output_file import replaced_whole

FORMAT_VERSION = (1, 0)
CONFIG, WEIGHTS, MANIFEST = "config.json", "weights.safetensors", "manifest.json"
# The entries that decide codes and answers; the others say how a model was learned.
IDENTITY = ("estimator", "data", "code", "input_shape", "members", "ranking", "gaussian", "classes")
MAX_TEXT_BYTES = 16 * 2**20
MAX_WEIGHT_BYTES = 16 * 2**30
MAX_JSON_VALUES = 2**18  # a value of two bytes may take a hundred in Python
MAX_JSON_KEYS = 50_000
MAX_JSON_DEPTH = 64
MAX_ARRAYS = 10_000
MAX_NAME_LENGTH = 1_000
MAX_AXES = 32
DIRECTORY_BYTES = 4_096  # of three members, generously
_DEPTH = np.zeros(256, np.int8)  # what a byte of JSON adds to the depth
_DEPTH[list(b"[{")], _DEPTH[list(b"]}")] = 1, -1


def write_model_file(path: str | Path, config: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
    """Write a model, plain values and arrays by name, completely or not at all.

    Raises:
        ParameterError: If it is larger than `read_model_file` accepts.
        OutputPathError: If the file cannot be written.
    """
    members = {
        CONFIG: json.dumps(config, indent=1, sort_keys=True, allow_nan=False).encode(),
        WEIGHTS: safetensors.numpy.save({name: np.asarray(array, order="C") for name, array in arrays.items()}),
    }
    try:
        for name, content in members.items():
            if len(content) > _limit(name):
                raise ValueError(f"`{name}` of {len(content)} bytes")
        check_json(members[CONFIG])
        _check_header(members[WEIGHTS])
    except ValueError as error:
        raise ParameterError(f"{path} must be a model that can be read again: got {error}.") from error
    manifest = {
        "format": "codeword",
        "format_version": list(FORMAT_VERSION),
        "library_version": __version__,
        "members": {name: _seal(content) for name, content in members.items()},
    }
    members[MANIFEST] = json.dumps(manifest, indent=1, sort_keys=True).encode()
    with replaced_whole(path) as file:
        file.write(_archive(members))


def read_model_file(path: str | Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read and check a file that `write_model_file` wrote; return its configuration and arrays.

    Raises:
        FileNotFoundError: If there is no such file.
        ModelFileError: If the file is damaged, foreign, hostile or of a newer format.
    """
    path = Path(path)
    with opened(path, "a .codeword file") as file, reading(path):
        return _read(path, file)


def _read(path: Path, file: BinaryIO) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    try:
        _check_end(path, file)
        with zipfile.ZipFile(file) as archive:
            _check_members(path, archive, os.fstat(file.fileno()).st_size)
            members = {info.filename: archive.read(info) for info in archive.infolist()}
        file.seek(0)
        if file.read() != _archive(members):
            raise refused(path, "it is not byte for byte the zip that codeword writes")
        _check_manifest(path, _read_json(path, MANIFEST, members[MANIFEST]), members)
        config = _read_json(path, CONFIG, members[CONFIG])
        _check_header(members[WEIGHTS])
        return config, safetensors.numpy.load(members[WEIGHTS])
    except ModelFileError:
        raise
    except (SafetensorError, KeyError, TypeError, AttributeError, _HeaderError) as error:
        raise refused(path, f"`{WEIGHTS}` cannot be read ({error})") from error
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError, OverflowError) as error:
        raise refused(path, f"it is not a complete .codeword file ({error})") from error
    except OSError as error:
        if error.errno != errno.EINVAL:  # from seeking to where a damaged zip claims that a member begins
            raise
        raise refused(path, f"it is not a complete .codeword file ({error})") from error


class _HeaderError(ValueError):
    """A header of arrays that no model has."""


def refused(path: str | Path, why: str) -> ModelFileError:
    """Return the error for a file that `write_model_file` did not write like this."""
    return ModelFileError(f"{path}: {why}. It is damaged, or was not written by codeword. Restore it from a copy.")


def model_fingerprint(config: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> str:
    """Return the fingerprint of a model: `fingerprint` of the arrays and of the entries that decide its answers."""
    return fingerprint({name: config[name] for name in IDENTITY if name in config}, arrays)


def fingerprint(config: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> str:
    """Return the SHA-256 of a configuration and of arrays, 64 hexadecimal digits."""
    digest = hashlib.sha256(json.dumps(config, sort_keys=True, allow_nan=False).encode())
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        little_endian = array.astype(array.dtype.newbyteorder("<"), copy=False)
        digest.update(json.dumps([name, little_endian.dtype.str, array.shape]).encode())
        digest.update(little_endian.tobytes())
    return digest.hexdigest()


def _archive(members: dict[str, bytes]) -> bytes:
    """Return the one zip of these members: without date and system, so that the same model is the same file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            info.create_system = 3
            archive.writestr(info, content)
    return buffer.getvalue()


def _limit(name: str) -> int:
    return MAX_WEIGHT_BYTES if name == WEIGHTS else MAX_TEXT_BYTES


def _check_end(path: Path, file: BinaryIO) -> None:
    """Refuse a zip whose directory of members is too large for three, before `zipfile` reads it."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 42))
    last = file.read(42).rjust(42, b"\0")
    end, locator = last[20:], last[:4]  # the end of the directory, and of a 64-bit one, which large files have
    if end[:4] != b"PK\5\6":
        raise refused(path, "it is not a complete .codeword file (it does not end like a zip)")
    num_bytes = int.from_bytes(end[12:16], "little")
    if num_bytes > DIRECTORY_BYTES or (locator == b"PK\6\7" and size < zipfile.ZIP64_LIMIT):
        raise refused(path, f"it is not a complete .codeword file (its directory claims {num_bytes} bytes)")


def _check_members(path: Path, archive: zipfile.ZipFile, size: int) -> None:
    names = [info.filename for info in archive.infolist()]
    if sorted(names) != sorted((CONFIG, WEIGHTS, MANIFEST)):
        raise refused(path, f"it must hold exactly {CONFIG}, {WEIGHTS} and {MANIFEST}: got {names[:9]}")
    for info in archive.infolist():
        limit = min(_limit(info.filename), size)
        is_link = (info.external_attr >> 16) & 0o170000 == 0o120000
        if info.compress_type != zipfile.ZIP_STORED or is_link or info.flag_bits & 0x1:
            raise refused(path, f"`{info.filename}` is compressed, encrypted or a link")
        if info.file_size > limit or info.file_size != info.compress_size:
            raise refused(path, f"`{info.filename}` claims {info.file_size} bytes")


def _check_manifest(path: Path, manifest: dict[str, Any], members: dict[str, bytes]) -> None:
    version: Any = manifest.get("format_version")
    is_version = isinstance(version, list) and len(version) == 2 and all(type(part) is int for part in version)
    if manifest.get("format") != "codeword" or not is_version:
        raise refused(path, f"`{MANIFEST}` does not name the codeword format")
    if version[0] > FORMAT_VERSION[0]:
        writer = f"{version[0]}.{version[1]}, written by codeword {manifest.get('library_version')}"
        raise ModelFileError(f"{path}: the format must be at most {FORMAT_VERSION[0]}: got {writer}. Upgrade codeword.")
    seals = manifest.get("members")
    if not isinstance(seals, dict) or set(seals) != {CONFIG, WEIGHTS}:
        raise refused(path, f"`{MANIFEST}` does not list the members")
    for name, seal in seals.items():
        if seal != _seal(members[name]):
            raise refused(path, f"`{name}` does not match its SHA-256 in the manifest")


def _read_json(path: Path, name: str, content: bytes) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in pairs}) < len(pairs):
            raise ValueError("a key is repeated")
        return dict(pairs)

    def no_constant(constant: str) -> float:
        raise ValueError(f"{constant} is not a number of JSON")

    def finite(text: str) -> float:
        return float(text) if math.isfinite(float(text)) else no_constant(text)

    try:
        check_json(content)
        value = json.loads(content, object_pairs_hook=once, parse_constant=no_constant, parse_float=finite)
    except (ValueError, RecursionError) as error:
        raise refused(path, f"`{name}` is not valid JSON ({error})") from error
    if not isinstance(value, dict):
        raise refused(path, f"`{name}` is not a JSON object")
    return value


def check_json(content: bytes) -> None:
    """Raise `ValueError` for JSON of more values than a model has, or nested too deeply, before it is parsed."""
    plain = content.replace(b"\\\\", b"").replace(b'\\"', b"")  # now each quote begins or ends a text
    num_texts = plain.count(b'"') // 2
    outside = b"".join(plain.split(b'"')[::2]) if num_texts <= 2 * MAX_JSON_VALUES else b""
    num_values, num_keys = max(num_texts // 2, sum(map(outside.count, (b",", b"[", b"{")))), outside.count(b":")
    depth = int(np.cumsum(_DEPTH[np.frombuffer(outside, np.uint8)], dtype=np.int32).max(initial=0))
    if num_values > MAX_JSON_VALUES or num_keys > MAX_JSON_KEYS or depth > MAX_JSON_DEPTH:
        raise ValueError(f"it has {num_values} values or more, {num_keys} keys, at most {depth} deep")


def _check_header(weights: bytes) -> None:
    """Raise `_HeaderError` for more arrays, longer names or more axes than a model has."""
    length = int.from_bytes(weights[:8], "little")
    try:
        if length > min(MAX_TEXT_BYTES, len(weights)) or weights.count(b"{", 8, 8 + length) > MAX_ARRAYS + 99:
            raise ValueError(f"its header claims {length} bytes")
        check_json(weights[8 : 8 + length])
        header = json.loads(weights[8 : 8 + length])
        if len(header) > MAX_ARRAYS:
            raise ValueError(f"it has {len(header)} arrays")
        for name, described in header.items():
            if len(name) > MAX_NAME_LENGTH or len(described.get("shape", ())) > MAX_AXES:
                raise ValueError(f"an array {name[:50]!r} of {len(described.get('shape', ()))} axes")
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise _HeaderError(str(error)) from error


def _seal(content: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(content).hexdigest(), "num_bytes": len(content)}
