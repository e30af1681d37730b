"""Residual codebooks whose entries a small network adjusts to the sum so far."""

from collections.abc import Sequence
from functools import reduce
from itertools import pairwise
from operator import itemgetter
from typing import Any

import numpy as np

from codeword.backend import keras
from codeword.data_kinds.level_edges import checked_levels, level_edges
from codeword.exact_tensors import bin_index
from codeword.layers.codebook_layer import LOSSES, QUANTIZED, CodebookLayer
from codeword.layers.residual_search import adjusted, best_sums, distances_to, of_entries_alone
from codeword.settings import Setting, as_plain, integer, optional, sizes
from codeword.surrogates import with_slope

ops = keras.ops

TRAINING_BEAMS = 4
PRESELECTION = 0.3  # weight of the error of the preselection
MISSED = 1e4  # distance that stands for a missed level
NEVER = 1e30  # added to the error of sums that are not there

SETTINGS = {
    "num_codebooks": integer(1),
    "size": integer(2, 65_536),
    "hidden": sizes(),
    "beams": integer(1),
    "directions": optional(integer(1)),
    "levels": optional(Setting("ascending numbers", lambda value: checked_levels(value) is not None)),
}


@keras.saving.register_keras_serializable(package="codeword")
class ResidualSteps(CodebookLayer):
    """Approximate each vector by a sum of codebook entries, each adjusted to the sum of the entries before it.

    This is the code layer of `Residual`. It learns by gradients from the prefixes of its codes, and begins with
    codebooks that k-means has found; see `autoencoders`. For your own model take `ResidualQuantizer`, which needs no
    preparation.

    Formula:
        `s[m] = s[m - 1] + e + network_m(e, s[m - 1])` with the chosen entry `e` of codebook m, and `s[0] = 0`, in units
        of the spread of the vectors less their center, along their main directions. If all vectors lie on a sphere,
        what is decoded is moved onto it.

        Of all pairs of a kept sum and an entry, a plain codebook preselects twice as many as are kept; of these sums
        the `beams` nearest to the vector are kept. The last layer of each network begins with zeros, and until it has
        learned, this is residual quantization.

    Gradient:
        Of "quantized": 1. Of "prefixes" and "decoded": the true gradient by the weights.

    Args:
        num_codebooks: Number of codebooks and symbols.
        size: Number of entries of each codebook, 2 to 65536.
        hidden: Units of the hidden layers of each network. (): no networks, plain codebooks.
        beams: Number of sums that are kept while encoding; at most 4 in training.
        directions: Number of orthogonal directions in which vectors are quantized; the rest is lost. None: all.
        levels: Ascending numbers. Of the kept sums, the one wins that misses the fewest of a vector's levels when
            rounded to them, and then the nearest. None: the nearest.
        **kwargs: Arguments of `keras.layers.Layer`: `name`, `dtype`, ….

    Call arguments:
        inputs: Float tensor of shape `(..., d)`: vectors; for "prefixes" and "decoded" symbols `(..., num_codebooks)`.
        returns: "quantized", "symbols", "margin", "choices" (both), "prefixes", "decoded" or "losses".

    Returns:
        Tensor of shape `(..., d)`, and for the others as their methods say.

    Raises:
        ParameterError: If a setting is not allowed.

    References:
        Huijben et al., "Residual Quantization with Implicit Neural Codebooks", 2024; Vallaeys et al., "Qinco2: Vector
        Compression and Search with Improved Implicit Neural Codebooks", 2025 (preselection and beam search).
    """

    def __init__(
        self,
        num_codebooks: int,
        size: int = 256,
        *,
        hidden: Sequence[int] = (),
        beams: int = 16,
        directions: int | None = None,
        levels: Sequence[float] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        settings = {"num_codebooks": num_codebooks, "size": size, "hidden": hidden}
        self.keep(SETTINGS, **settings, beams=beams, directions=directions, levels=levels)
        self.hidden = tuple(as_plain(hidden))

    def build(self, input_shape: Any) -> None:
        width, many = input_shape[-1], self.num_codebooks
        d = self.directions or width

        def weight(name: str, shape: tuple[int, ...], initializer: Any = "zeros", trainable: bool = True) -> Any:
            options = {"initializer": initializer, "trainable": trainable, "dtype": "float32", "autocast": False}
            return self.add_weight(name=name, shape=shape, **options)

        spread_out = keras.initializers.RandomNormal(0.0, 1.0, seed=0)  # until `start` is called
        self.center = weight("center", (width,), trainable=False)
        self.spread = weight("spread", (1,), "ones", trainable=False)
        self.sphere = weight("sphere", (width + 1,), trainable=False)  # its center, and its radius or 0 for none
        if self.directions:
            self.basis = weight("directions", (width, d), "identity", trainable=False)
        self.codebooks = weight("codebooks", (many, self.size, d), spread_out)
        if not self.hidden:
            return
        self.preselecting = weight("codebooks_preselecting", (many, self.size, d), spread_out)
        first = keras.initializers.RandomNormal(0.0, d**-0.5)
        self.kernels = [weight("kernel_of_entry", (many, d, self.hidden[0]), first)]
        self.kernel_of_sum = weight("kernel_of_sum", (many, d, self.hidden[0]), first)
        for units, more in pairwise(self.hidden):
            he_normal = keras.initializers.RandomNormal(0.0, (2 / units) ** 0.5)
            self.kernels.append(weight("kernel", (many, units, more), he_normal))
        self.kernels.append(weight("kernel_of_output", (many, self.hidden[-1], d)))
        self.biases = [weight("bias", (many, units)) for units in self.hidden]

    @property
    def dimension(self) -> int:
        return int(self.center.shape[0])

    def call(self, inputs: Any, training: bool | None = None, returns: str = QUANTIZED) -> Any:
        if returns == LOSSES:
            return ops.reshape(self.losses_of(self.flat_rows(inputs)), (*ops.shape(inputs)[:-1], self.num_codebooks))
        if returns != QUANTIZED:
            return self.answer(inputs, returns)
        x = self.as_called(inputs)
        symbols, _ = self.choose(self.flat_rows(x))
        hard = ops.cast(ops.reshape(self.sums(symbols)[:, -1], ops.shape(x)), x.dtype)
        return with_slope(hard, x, ops.ones_like(x))

    def choose(self, rows: Any) -> tuple[Any, Any]:
        return self._chosen(rows, self.beams)

    def sums(self, symbols: Any) -> Any:
        return self._onto_sphere(self._denormalized(self._normalized_sums(symbols)))

    def losses_of(self, rows: Any) -> Any:
        """Return what training reduces: the squared error of each prefix, and of the preselection.

        Args:
            rows: float32 vectors `(n, d)`.

        Returns:
            float32 tensor of shape `(n, num_codebooks)`, in units of the spread and as means over the d columns, with
            gradients by the weights.
        """
        symbols = ops.stop_gradient(self._chosen(rows, min(self.beams, TRAINING_BEAMS))[0])
        x = self._normalized(rows)[:, None]
        sums = self._normalized_sums(symbols)
        losses = ops.mean(ops.square(x - sums), axis=-1)
        if self.hidden:
            before = ops.concatenate([ops.zeros_like(x), sums[:, :-1]], axis=1)
            plain = _entries_of(self.preselecting, symbols)
            losses = losses + PRESELECTION * ops.mean(ops.square(ops.stop_gradient(x - before) - plain), axis=-1)
        return losses

    def start(self, codebooks: Any, center: Any, spread: float, sphere: Any = None, directions: Any = None) -> None:
        """Take codebooks that were learned elsewhere.

        Args:
            codebooks: Array of shape `(num_codebooks, size, directions)`, in units of the spread.
            center: Array of shape `(d,)`: what is subtracted from vectors.
            spread: Positive number by which they are then divided.
            sphere: Array of shape `(d + 1,)`: the center and radius of a sphere on which all vectors lie.
            directions: Array of shape `(d, directions)` of orthogonal columns of length 1.
        """
        self.codebooks.assign(codebooks)
        self.center.assign(center)
        self.spread.assign([spread])
        if self.hidden:
            self.preselecting.assign(np.array(codebooks))  # not the same memory, which a step could donate twice
        if sphere is not None:
            self.sphere.assign(sphere)
        if self.directions:
            self.basis.assign(directions)

    def left_of(self, rows: Any, symbols: Any) -> Any:
        """Return what each prefix of symbols leaves of rows: `(num_codebooks + 1, n, directions)`, a NumPy array.

        The first is what no symbols leave: the rows, less their center, in units of the spread.
        """
        x = self._normalized(ops.convert_to_tensor(rows))[:, None]
        left = ops.concatenate([x, x - self._normalized_sums(self.as_symbols(symbols))], axis=1)
        return ops.convert_to_numpy(ops.transpose(left, (1, 0, 2)))

    def replace(self, codebooks: Any, which: Any) -> None:
        """Take some entries, where `which` of shape `(num_codebooks, size)` is true, from other codebooks."""
        self.codebooks.assign(np.where(which[..., None], codebooks, self.codebooks.numpy()))
        if self.hidden:
            self.preselecting.assign(np.where(which[..., None], codebooks, self.preselecting.numpy()))

    def _normalized(self, rows: Any) -> Any:
        x = (rows - self.center) / self.spread
        return ops.matmul(x, self.basis) if self.directions else x

    def _denormalized(self, sums: Any) -> Any:
        sums = ops.matmul(sums, ops.transpose(self.basis)) if self.directions else sums
        return sums * self.spread + self.center

    def _onto_sphere(self, rows: Any) -> Any:
        """Move rows `(..., d)` along the line from the sphere's center, if there is a sphere."""
        center, radius = self.sphere[:-1], self.sphere[-1]
        offset = rows - center
        length = ops.sqrt(ops.maximum(ops.sum(ops.square(offset), axis=-1, keepdims=True), 1e-12))
        return ops.where(radius > 0, center + offset * (radius / length), rows)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "hidden": list(self.hidden)}

    def _steps(self) -> dict[str, Any]:
        """Return the weights of all steps, which have one more axis than those of a single one."""
        weights = {"codebook": self.codebooks}
        if self.hidden:
            weights |= {"plain": self.preselecting, "of_sum": self.kernel_of_sum}
            weights |= {f"kernel_{number}": kernel for number, kernel in enumerate(self.kernels)}
            weights |= {f"bias_{number}": bias for number, bias in enumerate(self.biases)}
        return {name: ops.convert_to_tensor(weight) for name, weight in weights.items()}

    def _run(self, step: Any, first: Any, inputs: Any) -> tuple[Any, Any]:
        """Run all steps: one after the other, or on JAX as a loop, which compiles 8 times as fast."""
        if keras.backend.backend() == "jax":
            return ops.scan(step, first, inputs)
        outputs = []
        for place in range(self.num_codebooks):
            first, output = step(first, keras.tree.map_structure(itemgetter(place), inputs))
            outputs.append(output)
        return first, ops.stack(outputs)

    def _chosen(self, rows: Any, beams: int) -> tuple[Any, Any]:
        """Return symbols and margins, with this many kept sums."""
        x = self._normalized(rows)
        first = ops.where(ops.arange(beams) == 0, 0.0, NEVER) + ops.zeros_like(x[:, :1])  # (n, beams)
        symbols = ops.zeros_like(ops.repeat(first[:, :, None], self.num_codebooks, axis=2), dtype="int32")
        places = ops.arange(self.num_codebooks)

        def step(kept: Any, inputs: Any) -> Any:
            return best_sums(x, kept, *inputs)

        kept = first, ops.zeros_like(x)[:, None] + ops.zeros_like(first)[:, :, None], symbols
        (absent, sums, symbols), margins = self._run(step, kept, (self._steps(), places))
        last = distances_to(x, sums, absent)
        if self.levels:
            last = last + MISSED * self._missed_levels(rows, sums)
        distances, best = ops.top_k(-last, min(2, beams))
        margins = ops.transpose(margins)  # (num_codebooks, n) -> (n, num_codebooks)
        # Another sum kept or taken, at any step, may change all symbols of the row.
        if beams > 1:
            margins = ops.concatenate([margins, (distances[:, :1] - distances[:, 1:]) / 2], axis=1)
        least = reduce(ops.minimum, ops.unstack(margins, axis=1))  # `ops.min` refuses an empty batch
        margins = ops.repeat(least[:, None], self.num_codebooks, axis=1)
        symbols = ops.take_along_axis(symbols, best[:, :1, None], axis=1)[:, 0]
        return symbols, ops.stop_gradient(margins * self.spread)

    def _missed_levels(self, rows: Any, sums: Any) -> Any:
        """Return how many levels of each row each of its sums misses, `(n, beams)` as floats."""
        edges = level_edges(checked_levels(self.levels), "midpoint")
        wrong = bin_index(self._denormalized(sums), edges) != bin_index(rows, edges)[:, None]
        return ops.sum(ops.cast(wrong, "float32"), axis=-1)

    def _normalized_sums(self, symbols: Any) -> Any:
        """Return the sums of all prefixes `(n, num_codebooks, d)`, in units of the spread."""

        def step(last: Any, inputs: Any) -> Any:
            weights, chosen = inputs
            entries = ops.take(weights["codebook"], chosen, axis=0)
            last = last + adjusted(entries, of_entries_alone(entries, weights), last, weights)
            return last, last

        first = ops.zeros((ops.shape(symbols)[0], self.codebooks.shape[-1]), "float32")
        _, sums = self._run(step, first, (self._steps(), ops.transpose(symbols)))
        return ops.transpose(sums, (1, 0, 2))


def _entries_of(codebooks: Any, symbols: Any) -> Any:
    """Return the entries `(n, num_codebooks, d)` that symbols choose."""
    many, size, width = codebooks.shape
    flat = ops.reshape(ops.convert_to_tensor(codebooks), (many * size, width))
    return ops.take(flat, symbols + ops.arange(many, dtype="int32") * size, axis=0)
