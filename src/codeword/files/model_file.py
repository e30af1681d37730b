"""The `.codeword` file: a stored zip of configuration, weights and manifest (no Keras, no pickle, no code).

`docs/formats.md` describes every byte. Reading trusts nothing: sizes are checked before anything is unpacked, members
against their SHA-256, and only plain values and arrays come out.
"""

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError

from codeword import __version__
from codeword.errors import ModelFileError
from codeword.files.output_file import replaced_whole

FORMAT_VERSION = (1, 0)
CONFIG, WEIGHTS, MANIFEST = "config.json", "weights.safetensors", "manifest.json"
# The entries that decide codes and answers; the others say how a model was learned.
IDENTITY = ("estimator", "data", "code", "input_shape", "members", "classes")
MAX_TEXT_BYTES = 16 * 2**20
MAX_WEIGHT_BYTES = 16 * 2**30


def write_model_file(path: str | Path, config: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
    """Write a model, plain values and arrays by name, completely or not at all."""
    members = {
        CONFIG: json.dumps(config, indent=1, sort_keys=True, allow_nan=False).encode(),
        WEIGHTS: safetensors.numpy.save({name: np.asarray(array, order="C") for name, array in arrays.items()}),
    }
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
    if not path.is_file():
        raise FileNotFoundError(f"{path} must be a .codeword file: got no such file.")
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(path, archive)
            members = {info.filename: archive.read(info) for info in archive.infolist()}
        if path.read_bytes() != _archive(members):
            raise refused(path, "it is not byte for byte the zip that codeword writes")
        _check_manifest(path, _read_json(path, MANIFEST, members[MANIFEST]), members)
        return _read_json(path, CONFIG, members[CONFIG]), safetensors.numpy.load(members[WEIGHTS])
    except ModelFileError:
        raise
    except (SafetensorError, KeyError, TypeError, AttributeError) as error:
        raise refused(path, f"`{WEIGHTS}` cannot be read ({error})") from error
    except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, RuntimeError, ValueError) as error:
        raise refused(path, f"it is not a complete .codeword file ({error})") from error


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


def _check_members(path: Path, archive: zipfile.ZipFile) -> None:
    names = [info.filename for info in archive.infolist()]
    if sorted(names) != sorted((CONFIG, WEIGHTS, MANIFEST)):
        raise refused(path, f"it must hold exactly {CONFIG}, {WEIGHTS} and {MANIFEST}: got {names[:9]}")
    for info in archive.infolist():
        limit = min(MAX_WEIGHT_BYTES if info.filename == WEIGHTS else MAX_TEXT_BYTES, path.stat().st_size)
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

    try:
        value = json.loads(content, object_pairs_hook=once, parse_constant=no_constant)
    except (ValueError, RecursionError) as error:
        raise refused(path, f"`{name}` is not valid JSON ({error})") from error
    if not isinstance(value, dict):
        raise refused(path, f"`{name}` is not a JSON object")
    return value


def _seal(content: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(content).hexdigest(), "num_bytes": len(content)}
