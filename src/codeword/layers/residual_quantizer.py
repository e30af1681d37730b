"""Residual codebooks in the middle of a network of your own."""

from typing import Any

from codeword import random_numbers
from codeword.backend import keras
from codeword.layers.codebook_layer import QUANTIZED, CodebookLayer
from codeword.settings import TRAINING, integer, number, optional
from codeword.surrogates import with_slope

ops = keras.ops

SETTINGS = {
    "num_codebooks": integer(1),
    "size": integer(2, 65_536),
    "decay": number(0, below=1),
    "commitment": number(0),
    "seed": optional(TRAINING["seed"]),
}

# Shares of the mean use of an entry. An entry used less than the first is dead; a revived one starts with the second,
# and has log(4) / (1 - decay) steps to be chosen.
DEAD, REVIVED = 0.05, 0.2


@keras.saving.register_keras_serializable(package="codeword")
class ResidualQuantizer(CodebookLayer):
    """Replace each vector by a sum of codebook entries: one of the first codebook, one for what it leaves, and so on.

    The codebooks follow moving averages of the vectors that chose their entries. The first batch of training starts
    them, and an entry that is hardly ever chosen is replaced by what is left of a vector of the current batch. They
    stay as they are in inference, and with `trainable=False`.

    Formula:
        `q = e[1] + … + e[num_codebooks]`, where `e[m]` is the entry of codebook m nearest to `x - e[1] - … - e[m - 1]`

    Gradient:
        1. In training the layer adds the loss `commitment * sum over m of mean((x - e[1] - … - e[m])**2)`, whose
        gradient pulls the vectors to their entries.

    Args:
        num_codebooks: Number of codebooks, and of symbols of a vector.
        size: Number of entries of each codebook, 2 to 65536.
        decay: Share of the moving averages that remains after a step, at least 0 and below 1.
        commitment: Weight of the loss, at least 0.
        seed: Integer from 0 to 2**32 - 1, of the vectors that replace entries. None: derived from Keras' global seed.
        **kwargs: Arguments of `keras.layers.Layer`: `name`, `dtype`, ….

    Call arguments:
        inputs: Float tensor of shape `(..., d)`, any range; distances are computed in float32.
        training: Whether the codebooks learn.
        returns: "quantized"; or "symbols", "margin", "prefixes" or "decoded", which the methods of these names return.

    Returns:
        Tensor of the same shape and dtype, equal to `decode(symbols(inputs))` in every bit.

    Raises:
        ParameterError: If a setting is not allowed.

    Example:
        >>> layer = ResidualQuantizer(2, size=4, seed=0)
        >>> x = np.random.default_rng(0).normal(size=(64, 3)).astype("float32")
        >>> quantized = layer(x, training=True)
        >>> layer.symbols(x).shape, layer.decode(layer.symbols(x)).shape
        ((64, 2), (64, 3))

    References:
        van den Oord et al., "Neural Discrete Representation Learning", 2017, appendix A.1; Zeghidour et al.,
        "SoundStream: An End-to-End Neural Audio Codec", 2021, section III.C.
    """

    def __init__(
        self,
        num_codebooks: int,
        size: int = 256,
        *,
        decay: float = 0.99,
        commitment: float = 0.25,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        settings = {"num_codebooks": num_codebooks, "size": size, "decay": decay, "commitment": commitment}
        self.keep(SETTINGS, **settings, seed=seed)
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape: Any) -> None:
        shape = (self.num_codebooks, self.size, input_shape[-1])
        options = {"initializer": "zeros", "trainable": False, "dtype": "float32", "autocast": False}
        self.codebooks = self.add_weight(name="codebooks", shape=shape, **options)
        self.totals = self.add_weight(name="totals", shape=shape, **options)
        self.counts = self.add_weight(name="counts", shape=shape[:2], **options)

    @property
    def dimension(self) -> int:
        return int(self.codebooks.shape[-1])

    def call(self, inputs: Any, training: bool | None = None, returns: str = QUANTIZED) -> Any:
        if returns != QUANTIZED:
            return self.answer(inputs, returns)
        x = self.as_called(inputs)
        rows = self.flat_rows(x)
        sums = self._learned(rows) if training and self.trainable else self.sums(self.choose(rows)[0])
        if training and self.commitment:
            left = [ops.mean(ops.square(rows - ops.stop_gradient(sums[:, m]))) for m in range(self.num_codebooks)]
            self.add_loss(self.commitment * sum(left))
        hard = ops.cast(ops.reshape(sums[:, -1], ops.shape(x)), x.dtype)
        return with_slope(hard, x, ops.ones_like(x))

    def choose(self, rows: Any) -> tuple[Any, Any]:
        symbols, margins, left = [], [], rows
        for m in range(self.num_codebooks):
            codebook = ops.convert_to_tensor(self.codebooks)[m]
            nearness, entries = ops.top_k(_nearness(left, codebook), 2)
            distances = ops.sqrt(ops.maximum(ops.sum(ops.square(left), axis=-1, keepdims=True) - nearness, 0.0))
            margins.append((distances[:, 1] - distances[:, 0]) / 2)
            symbols.append(ops.cast(entries[:, 0], "int32"))
            left = left - ops.take(codebook, entries[:, 0], axis=0)
        for m in range(1, self.num_codebooks):  # another entry leaves something else to all later codebooks
            margins[m] = ops.minimum(margins[m], margins[m - 1])
        return ops.stack(symbols, axis=1), ops.stop_gradient(ops.stack(margins, axis=1))

    def sums(self, symbols: Any) -> Any:
        return _sums(list(ops.unstack(ops.convert_to_tensor(self.codebooks), self.num_codebooks)), symbols)

    def _learned(self, rows: Any) -> Any:
        """Let the codebooks learn from rows; return the sums of the entries as they were before."""
        left = ops.stop_gradient(rows)
        count = ops.shape(left)[0]
        codebooks, counts, totals = (ops.convert_to_tensor(w) for w in (self.codebooks, self.counts, self.totals))
        places = self._places(count)
        revived, symbols, new_counts, new_totals = [], [], [], []
        for m in range(self.num_codebooks):
            least = ops.maximum(ops.mean(counts[m]), count / self.size)
            dead = (counts[m] < DEAD * least)[:, None]
            fresh = ops.take(left, places[m], axis=0)
            codebook = ops.where(dead, fresh, codebooks[m])
            old_counts = ops.where(dead[:, 0], REVIVED * least, counts[m])
            old_totals = ops.where(dead, fresh * REVIVED * least, totals[m])
            chosen = ops.argmax(_nearness(left, codebook), axis=-1)
            one_hot = ops.one_hot(chosen, self.size, dtype="float32")
            new_counts.append(self.decay * old_counts + (1 - self.decay) * ops.sum(one_hot, axis=0))
            new_totals.append(self.decay * old_totals + (1 - self.decay) * ops.matmul(ops.transpose(one_hot), left))
            symbols.append(chosen)
            revived.append(codebook)
            left = left - ops.take(codebook, chosen, axis=0)
        counts, totals = ops.stack(new_counts), ops.stack(new_totals)
        self.counts.assign(counts)
        self.totals.assign(totals)
        self.codebooks.assign(totals / ops.maximum(counts, 1e-12)[:, :, None])
        return _sums(revived, ops.stack(symbols, axis=1))

    def _places(self, count: Any) -> Any:
        """Return which rows replace dead entries, `(num_codebooks, size)`: different ones where there are enough."""
        first = random_numbers.uniform(ops.zeros((self.num_codebooks, 1)), self.seed_generator)
        stride = ops.maximum(count // self.size, 1)
        places = ops.cast(first * ops.cast(count, "float32"), "int32") + ops.arange(self.size, dtype="int32") * stride
        return places % count


def _nearness(rows: Any, codebook: Any) -> Any:
    """Return `|row|² - |row - entry|²` of all rows and entries, `(n, size)`."""
    return 2 * ops.matmul(rows, ops.transpose(codebook)) - ops.sum(ops.square(codebook), axis=-1)


def _sums(codebooks: list[Any], symbols: Any) -> Any:
    """Return the sums of the first entries `(n, num_codebooks, d)`, added one by one: the same bits everywhere."""
    found: list[Any] = []
    for m, codebook in enumerate(codebooks):
        entries = ops.take(codebook, symbols[:, m], axis=0)
        found.append(found[-1] + entries if found else entries)
    return ops.stack(found, axis=1)
