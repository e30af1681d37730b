"""The .codeword file: a stored zip of configuration, weights and manifest (no Keras, no pickle, no code).

`docs/formats.md` says every byte. Reading trusts nothing: sizes are checked before anything is unpacked, every member
against its SHA-256, and only plain values and arrays come out.
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
# What decides codes and answers, beside the arrays; how those were learned does not.
IDENTITY = ("estimator", "data", "code", "input_shape", "members", "classes")
MAX_TEXT_BYTES = 16 * 2**20
MAX_WEIGHT_BYTES = 16 * 2**30


def write_model_file(path: str | Path, config: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
    """Writes a model whole or not at all.

    Args:
        path: Where; an old file is replaced only when the new one is complete.
        config: Plain values: dictionaries, lists, strings, finite numbers, booleans, None.
        arrays: Arrays by name.

    Raises:
        OutputPathError: If the place cannot be written to.
    """
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
    """Reads what `write_model_file` wrote, and checks it.

    Returns:
        Configuration and arrays.

    Raises:
        FileNotFoundError: If there is no such file.
        ModelFileError: If the file is damaged, foreign, hostile or of a newer format.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} must be a .codeword file. Received: no such file. Check the path.")
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(path, archive)
            members = {info.filename: archive.read(info) for info in archive.infolist()}
        if path.read_bytes() != _archive(members):
            raise _refused(path, "is not byte for byte the zip that codeword writes")
    except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, RuntimeError, ValueError) as error:
        if isinstance(error, ModelFileError):
            raise
        raise _refused(path, f"is no whole .codeword file ({error})", "It is cut off or no model") from error
    manifest = _read_json(path, MANIFEST, members[MANIFEST])
    _check_manifest(path, manifest, members)
    config = _read_json(path, CONFIG, members[CONFIG])
    try:
        arrays = safetensors.numpy.load(members[WEIGHTS])
    except (SafetensorError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise _refused(path, f"`{WEIGHTS}` cannot be read ({error})") from error
    return config, arrays


def refused(path: str | Path, why: str) -> ModelFileError:
    """Gives the error for a model file whose content cannot be a model's."""
    return ModelFileError(f"{path}: {why}. It was damaged or not written by codeword. Restore it from a copy.")


def model_fingerprint(config: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> str:
    """Gives the fingerprint of a model from all its parts."""
    return fingerprint({name: config[name] for name in IDENTITY if name in config}, arrays)


def fingerprint(config: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> str:
    """Gives 64 hexadecimal digits that tell a model from any other: SHA-256 of its configuration and weights."""
    digest = hashlib.sha256(json.dumps(config, sort_keys=True, allow_nan=False).encode())
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        little_endian = array.astype(array.dtype.newbyteorder("<"), copy=False)
        digest.update(json.dumps([name, little_endian.dtype.str, array.shape]).encode())
        digest.update(little_endian.tobytes())
    return digest.hexdigest()


def _archive(members: dict[str, bytes]) -> bytes:
    """Gives the one zip of these members: no date and no system in it, so that the same model is the same file."""
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
        raise _refused(path, f"must hold exactly {CONFIG}, {WEIGHTS} and {MANIFEST}; it holds {names[:9]}", _FOREIGN)
    for info in archive.infolist():
        limit = MAX_WEIGHT_BYTES if info.filename == WEIGHTS else MAX_TEXT_BYTES
        is_link = (info.external_attr >> 16) & 0o170000 == 0o120000
        if info.compress_type != zipfile.ZIP_STORED or is_link or info.flag_bits & 0x1:
            raise _refused(path, f"`{info.filename}` is compressed, encrypted or a link", _FOREIGN)
        if info.file_size > min(limit, path.stat().st_size) or info.file_size != info.compress_size:
            raise _refused(path, f"`{info.filename}` claims {info.file_size} bytes", _FOREIGN)


def _check_manifest(path: Path, manifest: Any, members: dict[str, bytes]) -> None:
    version = manifest.get("format_version")
    if manifest.get("format") != "codeword" or not _is_version(version):
        raise _refused(path, f"`{MANIFEST}` does not name the codeword format", _FOREIGN)
    if version[0] > FORMAT_VERSION[0]:
        raise ModelFileError(
            f"{path}: the format must be at most {FORMAT_VERSION[0]}, which this library reads. "
            f"Received: {version[0]}.{version[1]}, written by codeword {manifest.get('library_version')}. "
            "Upgrade codeword."
        )
    seals = manifest.get("members")
    if not isinstance(seals, dict) or set(seals) != {CONFIG, WEIGHTS}:
        raise _refused(path, f"`{MANIFEST}` does not list the members", _FOREIGN)
    for name, seal in seals.items():
        if seal != _seal(members[name]):
            raise _refused(path, f"`{name}` does not match its SHA-256 in the manifest")


def _is_version(version: Any) -> bool:
    return isinstance(version, list) and len(version) == 2 and all(type(part) is int for part in version)


def _read_json(path: Path, name: str, content: bytes) -> dict[str, Any]:
    def refuse_repeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in pairs}) < len(pairs):
            raise ValueError("a key is there twice")
        return dict(pairs)

    def refuse_constant(constant: str) -> float:
        raise ValueError(f"{constant} is no number")

    try:
        value = json.loads(content, object_pairs_hook=refuse_repeated, parse_constant=refuse_constant)
    except (ValueError, RecursionError) as error:
        raise _refused(path, f"`{name}` is no proper JSON ({error})") from error
    if not isinstance(value, dict):
        raise _refused(path, f"`{name}` is no JSON object")
    return value


def _seal(content: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(content).hexdigest(), "num_bytes": len(content)}


_FOREIGN = "It was not written by codeword"


def _refused(path: Path, what: str, why: str = "The file is damaged") -> ModelFileError:
    return ModelFileError(f"{path}: {what}. {why}. Restore it from a copy or save the model again.")
