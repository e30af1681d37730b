"""Damaged `.codeword` files: seals that hold over nonsense, and anything else in the bytes."""

import io
import json
import random
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from codeword.files import model_file
from reliability.fuzzing.damage import ODD_INTEGERS, ODD_TEXTS, changed_bytes, changed_json, json_bytes, odd_value

ODD_NUMBERS = (np.nan, np.inf, -np.inf, 0, -1, 1e38, -1e38, 1e-45, 2**31)
DTYPES = ("float32", "float64", "float16", "int64", "int32", "uint8", "bool", "int8", "uint64")


def model_file_of(random: random.Random, templates: list[bytes]) -> bytes:
    """Return one file that may be damaged anywhere; most have valid seals."""
    content = random.choice(templates)
    if random.random() < 0.15:
        return changed_bytes(random, content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(members[model_file.MANIFEST])
    way = random.random()
    if way < 0.5:
        config = json.loads(members[model_file.CONFIG])
        for _ in range(random.choice((1, 1, 2))):
            config = changed_json(random, config)
        members[model_file.CONFIG] = json_bytes(random, config)
    if 0.4 < way < 0.8:
        members[model_file.WEIGHTS] = _weights(random, members[model_file.WEIGHTS])
    if 0.8 < way < 0.85:
        members[random.choice(list(members))] = random.randbytes(random.choice((0, 1, 100)))
    manifest["members"] = {name: model_file._seal(members[name]) for name in (model_file.CONFIG, model_file.WEIGHTS)}
    if way > 0.9:
        manifest = changed_json(random, manifest)
    members[model_file.MANIFEST] = (
        json_bytes(random, manifest) if way > 0.85 else json.dumps(manifest, indent=1).encode()
    )
    if random.random() < 0.9:
        return model_file._archive(members)
    return _other_zip(random, members)


def _weights(random: random.Random, content: bytes) -> bytes:
    import safetensors.numpy

    if random.random() < 0.2:
        return _header_of_weights(random, content)
    arrays = safetensors.numpy.load(content)
    for _ in range(random.choice((1, 1, 2, 5))):
        name = random.choice(sorted(arrays))
        way = random.randrange(8)
        array = arrays[name]
        if way == 0:
            del arrays[name]
        elif way == 1:
            arrays[random.choice((*ODD_TEXTS[:9], name + "0", "gate/000/kernel", "members/000/bias_in"))] = array
        elif way == 2:
            arrays[name] = array.astype(random.choice(DTYPES))
        elif way == 3:
            arrays[name] = array.reshape(-1)[: random.randrange(array.size + 1)]
        elif way == 4:
            arrays[name] = array.reshape(random.choice(((-1,), (1, -1), (*array.shape, 1))))
        elif way == 5 and array.size > 1:
            arrays[name] = np.repeat(array, random.choice((2, 100)), axis=0) if array.ndim else array
        elif array.size:
            changed = array.copy()
            with np.errstate(all="ignore"):
                place = random.randrange(array.size)
                wanted = np.array(random.choice(ODD_NUMBERS + ODD_INTEGERS[:15])).astype(array.dtype)
            changed.reshape(-1)[place : place + random.choice((1, 1, 10**9))] = wanted
            arrays[name] = changed
        if not arrays:
            break
    return safetensors.numpy.save(
        {name.encode("utf-8", "replace").decode(): np.ascontiguousarray(one) for name, one in arrays.items()}
    )


def _header_of_weights(random: random.Random, content: bytes) -> bytes:
    length = struct.unpack("<Q", content[:8])[0]
    header = json_bytes(random, changed_json(random, json.loads(content[8 : 8 + length])))
    size = len(header) if random.random() < 0.9 else random.choice((0, 1, 10**8, 2**63, 2**64 - 1))
    return struct.pack("<Q", size) + header + content[8 + length :]


def _other_zip(random: random.Random, members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    method = random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, member in members.items():
            entry = zipfile.ZipInfo(random.choice((name, name, name, "../" + name, name.upper())))  # of no date
            archive.writestr(entry, member, method)
        if random.random() < 0.5:
            entry = zipfile.ZipInfo(random.choice(("evil.py", "a/", "config.JSON")))
            archive.writestr(entry, json.dumps(odd_value(random)), method)
        archive.comment = random.choice((b"", b"comment", b"PK\5\6"))
    return random.choice((b"", b"", b"junk")) + buffer.getvalue()


def use(path: Path) -> Any:
    """Load a model and let it answer a little; what it answers to a damaged file that is accepted must be finite."""
    import codeword

    model = codeword.load(path)
    if type(model).__name__ == "RatingAutoencoder":
        items, scores = model.recommend(model.users_[:2], k=2)
        predicted = model.predict(model.users_[:2], model.items_[:1])
        if np.isinf(scores).any() or not np.isfinite(predicted).all():
            raise ArithmeticError("an accepted model predicts no numbers")
        return items
    if type(model).__name__ == "Autoencoder":
        codes = np.zeros((1, model.code_.num_bytes), np.uint8)
        if not np.isfinite(model.decode(codes)).all():
            raise ArithmeticError("an accepted model decodes to no numbers")
        return model.fingerprint_
    return model.choose(np.zeros((1, model.n_features_in_)))
