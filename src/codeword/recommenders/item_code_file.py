"""What the file of item codes holds (no Keras)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.arrays.ids import Ids
from codeword.code_kinds import CodeKind, code_kind_from_config, packing
from codeword.errors import ParameterError
from codeword.files.saved_model import ASCENDING, Array, Arrays, check_arrays, length_of

MEANING = ("table", "directions", "mean")
MAX_WIDTH = 2**12  # numbers of an item that a code becomes, more than any ranking has


def file_parts(
    kind: CodeKind, items: NDArray[Any], codes: NDArray[np.uint8], meaning: dict[str, Any]
) -> tuple[dict[str, Any], Arrays]:
    """Return the configuration and the arrays of a file of item codes."""
    arrays = {f"meaning/{name}": array for name, array in meaning.items()}
    arrays |= {f"ids/items{part}": array for part, array in Ids(items).to_arrays().items()}
    return {"estimator": "ItemCodes", "code": kind.to_config()}, {"codes": codes, **arrays}


def checked_parts(
    config: dict[str, Any], arrays: Arrays
) -> tuple[CodeKind, NDArray[Any], NDArray[np.uint8], dict[str, Any]]:
    """Return the code kind, ids, codes and their meaning from a file; refuse what `file_parts` does not return.

    Raises:
        CodewordError, ValueError, KeyError, IndexError, TypeError, AttributeError: If the file is none of item codes.
    """
    if set(config) != {"estimator", "code"}:
        raise ParameterError(f"the configuration lacks or adds entries: {sorted(set(config) ^ {'estimator', 'code'})}")
    kind = code_kind_from_config(config["code"])
    if kind.to_config() != config["code"]:
        raise ParameterError("`code` is not as `save` writes it")
    check_arrays(_declared(kind, arrays), arrays)
    packing.unpack(arrays["codes"], kind)  # refuses symbols that the kind does not have
    meaning = {name: arrays[f"meaning/{name}"] for name in MEANING}
    return kind, Ids.from_arrays(arrays, "ids/items").values, arrays["codes"], meaning


def _declared(kind: CodeKind, arrays: Arrays) -> dict[str, Array]:
    count, width = len(arrays["codes"]), length_of(arrays, "meaning/mean")
    if not 0 < width <= MAX_WIDTH or width % 2:
        raise ParameterError(f"two vectors of an item are {width} numbers")
    rows, table = arrays["meaning/directions"].shape[0], arrays["meaning/table"].shape
    per_choice = rows // kind.num_symbols
    wanted = (kind.num_symbols, kind.symbol_sizes[0], per_choice) if len(table) == 3 else (kind.num_symbols, rows)
    if len(table) == 3 and rows != per_choice * kind.num_symbols:
        raise ParameterError(f"{kind.num_symbols} symbols do not stand for {rows} directions")
    declared = {
        "codes": Array("uint8", (count, kind.num_bytes)),
        "meaning/table": Array("float32", wanted),
        "meaning/directions": Array("float32", (rows, width)),
        "meaning/mean": Array("float32", (width,)),
    }
    if "ids/items" in arrays:
        return {**declared, "ids/items": Array("int64", (count,), ASCENDING)}
    texts = {"text": Array("uint8", (length_of(arrays, "ids/items/text"),)), "ends": Array("int64", (count,))}
    return {**declared, **{f"ids/items/{name}": array for name, array in texts.items()}}
