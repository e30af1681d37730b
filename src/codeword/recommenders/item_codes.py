"""Items of a recommender as packed codes: searched by their bits, and recommended from their bytes alone."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

from codeword.arrays.ids import Ids
from codeword.code_kinds import Bits, Choices, CodeKind, Floats, Scalars, packing
from codeword.code_kinds.kinds import SCALAR_RANGE
from codeword.errors import DataError, ParameterError
from codeword.files.model_file import fingerprint, refused, write_model_file
from codeword.files.saved_model import ERRORS, Arrays
from codeword.recommenders.item_code_file import checked_parts, file_parts
from codeword.recommenders.ranking import ItemRanking
from codeword.recommenders.row_network import Float32Array
from codeword.recommenders.scores import parts

Float64Array = NDArray[np.float64]
BITS_PER_DIRECTION = 4  # of bits and choices: more directions would each be too coarse
MOST_DIRECTIONS = 256  # of bits and choices: the others hold little
SWEEPS = 2  # over the bits of a code, each of which is set to what is nearest: more of them part bits and similarity
RIDGE = 1e-3  # of what a bit means: share of its variance
LEAST_ENERGY = 1e-6  # of a direction beside the strongest
CLUSTERING_ROUNDS = 10
ITEMS_AT_A_TIME = 256  # whose values stay in the processor's cache while their bits are set
SEED = 0


@dataclass(frozen=True, eq=False)
class ItemCodes:
    """Packed codes of the items of a recommender, from `item_codes`, and what their symbols mean.

    A `CodeStore` takes it as the model that made the codes, and refuses codes of another one. `save` writes it to a
    file, and `codeword.load` reads that.

    Attributes:
        code_: The code kind.
        items_: Ids of the items, `(num_items,)`.
        codes_: Their codes, uint8 `(num_items, code_.num_bytes)`.

    Example:
        >>> import codeword as cw
        >>> rng = np.random.default_rng(0)
        >>> likes = rng.integers(0, 40, 900), rng.integers(0, 30, 900)
        >>> rec = cw.RatingAutoencoder(data=cw.Interactions(), repeated="last", verbose=0).fit(likes)
        >>> codes = rec.item_codes(cw.Bits(64))
        >>> index = cw.HammingIndex(codes.codes_, codes.items_)
        >>> distances, similar = index.search(codes.codes_[:2], k=5)
        >>> rec.with_item_codes(codes).recommend([3, 4], k=5)[0].shape
        (2, 5)
    """

    code_: CodeKind
    items_: NDArray[Any]
    codes_: NDArray[np.uint8]
    _meaning: "_Meaning"
    PARTS: ClassVar[tuple[str, ...]] = ()  # arguments of `codeword.load`

    def __repr__(self) -> str:
        return f"<ItemCodes: {len(self.items_):,} items of {self.code_}, {self.code_.num_bytes} bytes each>"

    @cached_property
    def fingerprint_(self) -> str:
        """64 hexadecimal digits that identify what the symbols mean."""
        return fingerprint({"code": self.code_.to_config()}, self._meaning._asdict())

    def decode(self, codes: Any) -> tuple[Float32Array, Float32Array]:
        """Return what items say of a user who took them, and for which users they speak, from their codes.

        The score of an item for a user is the product of its second vector with the sum of the first vectors of what
        the user took.

        Args:
            codes: uint8 `(n, code_.num_bytes)`, such as `codes_`, or codes of some items from a store.

        Returns:
            Two float32 arrays of one shape, `(n, rank)`.

        Raises:
            CodeError: If they cannot be codes of this kind.
        """
        symbols = packing.unpack(codes, self.code_)
        pairs = _values(symbols, self.code_, self._meaning.table) @ self._meaning.directions + self._meaning.mean
        inputs, outputs = np.hsplit(pairs.astype(np.float32), 2)
        return np.ascontiguousarray(inputs), np.ascontiguousarray(outputs)

    def save(self, path: str | Path) -> str:
        """Write the codes, their ids and what they mean to one `.codeword` file, which `codeword.load` reads.

        Args:
            path: The file. An existing one is replaced once the new one is complete.

        Returns:
            The fingerprint.
        """
        write_model_file(path, *file_parts(self.code_, self.items_, self.codes_, self._meaning._asdict()))
        return self.fingerprint_

    @classmethod
    def _from_parts(cls, path: str | Path, config: dict[str, Any], arrays: Arrays, given: dict[str, Any]) -> Self:
        """Return the codes of a file; see `codeword.load`."""
        try:
            kind, items, codes, meaning = checked_parts(config, arrays)
            if type(kind) not in _WAYS or (meaning["table"].ndim == 3) != (type(kind) is Choices):
                raise ParameterError(f"{kind} has another meaning")
        except ERRORS as error:
            raise refused(path, f"it holds no possible item codes ({error})") from error
        return cls(kind, items, codes, _Meaning(**meaning))


class _Meaning(NamedTuple):
    """What symbols mean: values of directions, by a table; and both vectors of an item, by directions and a mean."""

    table: Float32Array
    directions: Float32Array
    mean: Float32Array


@threadpool_limits.wrap(limits=1, user_api="blas")  # sums in one order: codes and fingerprint are the same again
def learn_item_codes(
    ranking: ItemRanking, taken: scipy.sparse.csr_array, items: Ids, kind: CodeKind, *, verbose: bool = False
) -> ItemCodes:
    """Learn codes from which the scores of a ranking can be computed with a small error.

    Args:
        ranking: What items say about each other.
        taken: What users took, on a scale from 0 to 1.
        items: Ids of the items.
        kind: The code kind.
        verbose: Whether to show a progress bar if it takes more than a second.

    Raises:
        ParameterError: If it is no code kind, or its codes would be larger than the vectors.
        DataError: If all scores of the ranking are 0.
    """
    pairs, scale = _joined(ranking, taken)
    _check_kind(kind, pairs.shape[1])
    known = ranking.popularity > 0
    mean = pairs[known].mean(axis=0)
    way = _WAYS[type(kind)]
    directions = _directions(pairs[known] - mean, way.num_directions(kind))
    values = (pairs - mean) @ directions
    with tqdm(desc="item codes", unit="step", disable=not verbose, delay=1) as bar:
        symbols, table, turn = way.learn(values.astype(np.float32), known, kind, bar)
    back = (turn @ np.pad(directions.T, ((0, turn.shape[1] - directions.shape[1]), (0, 0)))) * scale
    meaning = _Meaning(table.astype(np.float32), back.astype(np.float32), (mean * scale).astype(np.float32))
    return ItemCodes(kind, items.values, packing.pack(symbols, kind), meaning)


def _check_kind(kind: Any, width: int) -> None:
    if type(kind) not in _WAYS:
        raise ParameterError(f"`kind` must be a code kind, such as cw.Bits(512): got {kind!r:.100}.")
    if kind.num_bytes > 4 * width:
        raise ParameterError(
            f"`kind` must be smaller than the vectors of an item, {4 * width} bytes: got {kind}, {kind.num_bytes} "
            "bytes."
        )


def _joined(ranking: ItemRanking, taken: scipy.sparse.csr_array) -> tuple[Float64Array, Float64Array]:
    """Return both vectors of each item side by side, and the scale by which they were divided, `(items, width)`.

    They are turned and stretched, which changes no score, so that an error counts as much as it changes scores in the
    mean over users or items, whatever its direction; and so that both vectors of an item resemble each other.
    """
    gram = np.zeros((ranking.inputs.shape[1],) * 2)
    for part in parts(taken.shape[0], ranking.inputs.shape[1]):
        users = (ranking.weighted(taken[part]) @ ranking.inputs).astype(np.float64)
        gram += users.T @ users
    energies, basis = _spectrum(gram)
    root = np.sqrt(energies)
    outputs = ranking.outputs @ (basis * root)
    strengths, turn = _spectrum(outputs.T @ outputs)
    if len(strengths) == 0:
        raise DataError("The items of this model must say something about each other: got a ranking of zeros.")
    inputs, outputs = ranking.inputs @ (basis / root) @ turn, outputs @ turn
    lengths = np.sqrt(strengths)
    input_scale = np.linalg.norm(inputs * lengths) / lengths
    scale = np.concatenate([input_scale, np.full(len(lengths), np.linalg.norm(outputs))])
    return np.hstack([inputs, outputs]) / scale, scale


def _spectrum(gram: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Return the eigenvalues that are not negligible, greatest first, and their vectors."""
    energies, vectors = np.linalg.eigh(gram)
    kept = energies > LEAST_ENERGY * energies.max(initial=0)
    return energies[kept][::-1], vectors[:, kept][:, ::-1]


def _per_choice(kind: Choices) -> int:
    return max(1, min(round(kind.symbol_widths[0] / BITS_PER_DIRECTION), MOST_DIRECTIONS // kind.num_choices))


def _directions(centered: Float64Array, number: int) -> Float64Array:
    """Return the first principal directions, at most this number, `(width, number)`."""
    _, vectors = np.linalg.eigh(centered.T @ centered)
    return vectors[:, ::-1][:, :number]


Learned = tuple[NDArray[Any], Float32Array, Float32Array]  # symbols, what they mean, and how that is turned back


def _learn_bits(values: Float32Array, known: NDArray[np.bool_], kind: Bits, bar: Any) -> Learned:
    """Set bits to the signs of projections, and then each to what is nearest, given the others.

    A matrix maps signs to values, by least squares. References: Gong et al., "Iterative Quantization", 2013, for the
    alternation. Differs: more bits than directions, set one after the other.
    """
    width = min(values.shape[1], kind.num_bits)
    frame = _random_turn(kind.num_bits, width)
    signs = np.where(values @ frame.T > 0, np.float32(1), np.float32(-1))
    table = _least_squares(signs[known], values[known])
    starts = range(0, len(values), ITEMS_AT_A_TIME)
    bar.total = SWEEPS * len(starts)
    for _ in range(SWEEPS):
        for start in starts:
            part = slice(start, start + ITEMS_AT_A_TIME)
            _bring_nearer(signs[part], values[part], table)
            bar.update()
        table = _least_squares(signs[known], values[known])
    return (signs > 0).astype(np.uint8), table, np.eye(width, dtype=np.float32)


def _bring_nearer(signs: Float32Array, values: Float32Array, table: Float32Array) -> None:
    """Set each bit in turn to what brings `signs @ table` nearest to the values."""
    rest = values - signs @ table
    for bit, row in enumerate(table):
        own = signs[:, bit]
        (wrong,) = np.nonzero((rest @ row) * own < -(row @ row))
        rest[wrong] += 2 * own[wrong, None] * row
        signs[wrong, bit] *= -1


def _learn_choices(values: Float32Array, known: NDArray[np.bool_], kind: Choices, bar: Any) -> Learned:
    """Turn the directions at random, so that all parts vary alike, and choose the nearest of `size` means in each.

    References: Jégou et al., "Product Quantization for Nearest Neighbor Search", 2011.
    """
    import faiss  # takes a fifth of a second

    per_choice = _per_choice(kind)
    turn = _random_turn(kind.num_choices * per_choice, kind.num_choices * per_choice)
    turned = np.ascontiguousarray(np.pad(values, ((0, 0), (0, len(turn) - values.shape[1]))) @ turn)
    size = min(kind.size, int(known.sum()))
    symbols: NDArray[Any] = np.empty((len(values), kind.num_choices), kind.symbol_dtype)
    table = np.zeros((kind.num_choices, kind.size, per_choice), np.float32)
    bar.total = kind.num_choices
    with threadpool_limits(1):  # FAISS adds up in one order, too
        for choice in range(kind.num_choices):
            part = np.ascontiguousarray(turned[:, choice * per_choice : (choice + 1) * per_choice])
            means = faiss.Kmeans(per_choice, size, niter=CLUSTERING_ROUNDS, seed=1 + SEED, min_points_per_centroid=1)
            means.train(part[known])
            symbols[:, choice] = means.assign(part)[1]
            table[choice, :size] = means.centroids
            bar.update()
    return symbols, table, np.ascontiguousarray(turn.T)


def _learn_scalars(values: Float32Array, known: NDArray[np.bool_], kind: Scalars, bar: Any) -> Learned:
    """Turn the directions at random, so that all vary alike, and round each."""
    turn = _random_turn(kind.num_scalars, kind.num_scalars)
    turned = np.pad(values, ((0, 0), (0, len(turn) - values.shape[1]))) @ turn
    spread = turned[known].std(axis=0)
    steps = np.array(kind.symbol_sizes) - 1
    unit = np.clip(turned / np.where(spread > 0, spread, 1) / (2 * SCALAR_RANGE) + 0.5, 0, 1)
    return np.rint(unit * steps).astype(kind.symbol_dtype), np.diag(spread), np.ascontiguousarray(turn.T)


def _learn_floats(values: Float32Array, known: NDArray[np.bool_], kind: Floats, bar: Any) -> Learned:
    values = np.pad(values, ((0, 0), (0, kind.num_floats - values.shape[1])))
    eye = np.eye(kind.num_floats, dtype=np.float32)
    return values, eye, eye


class _Way(NamedTuple):
    """How codes of a kind are learned, and of how many directions."""

    num_directions: Callable[[Any], int]
    learn: Callable[[Float32Array, NDArray[np.bool_], Any, Any], Learned]


_WAYS: dict[type, _Way] = {
    Bits: _Way(lambda kind: min(max(1, kind.num_bits // BITS_PER_DIRECTION), MOST_DIRECTIONS), _learn_bits),
    Choices: _Way(lambda kind: kind.num_choices * _per_choice(kind), _learn_choices),
    Scalars: _Way(lambda kind: kind.num_scalars, _learn_scalars),
    Floats: _Way(lambda kind: kind.num_floats, _learn_floats),
}


def _values(symbols: NDArray[Any], kind: CodeKind, table: Float32Array) -> Float32Array:
    """Return the values of all directions that symbols stand for, `(n, directions)`."""
    if table.ndim == 3:  # of choices: the product with one-hot rows, without the rows
        return table[np.arange(kind.num_symbols), symbols].reshape(len(symbols), -1)
    return kind.to_network(symbols) @ table


def _least_squares(signs: Float32Array, values: Float32Array) -> Float32Array:
    gram = signs.T @ signs + np.float32(RIDGE * len(signs)) * np.eye(signs.shape[1], dtype=np.float32)
    return np.linalg.solve(gram.astype(np.float64), (signs.T @ values).astype(np.float64)).astype(np.float32)


def _random_turn(rows: int, columns: int) -> Float32Array:
    """Return a random matrix with orthonormal columns."""
    return np.linalg.qr(np.random.default_rng(SEED).normal(size=(rows, columns)))[0].astype(np.float32)
