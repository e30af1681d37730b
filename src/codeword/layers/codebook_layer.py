"""Base class of the layers that write a vector as a sum of codebook entries."""

from abc import abstractmethod
from typing import Any

from codeword.backend import keras
from codeword.errors import CodeError
from codeword.layers.hard_layer import HardLayer

ops = keras.ops

QUANTIZED, SYMBOLS, MARGIN, CHOICES, PREFIXES, DECODED, LOSSES = (
    *("quantized", "symbols", "margin", "choices", "prefixes", "decoded", "losses"),
)


class CodebookLayer(HardLayer):
    """Base class of layers from vectors to the symbols of codebook entries, and back to the sum of these entries.

    Such a layer has weights, so all that it answers goes through `call`, which Keras traces, saves and compiles:
    `symbols(x)` is `layer(x, returns="symbols")`. A subclass sets `num_codebooks` and `size`.
    """

    num_codebooks: int
    size: int

    @abstractmethod
    def choose(self, rows: Any) -> tuple[Any, Any]:
        """Return the symbols of float32 rows `(n, d)`, int32 `(n, num_codebooks)`, and their margins, float32."""

    @abstractmethod
    def sums(self, symbols: Any) -> Any:
        """Return the sums of the first 1, 2, … entries of symbols: float32 `(n, num_codebooks, d)`."""

    @property
    @abstractmethod
    def dimension(self) -> int:
        """Length of the vectors, known once the layer is built."""

    def symbols(self, inputs: Any) -> Any:
        """Return the symbols of vectors `(..., d)`: int32 of shape `(..., num_codebooks)`."""
        return self(inputs, returns=SYMBOLS)

    def margin(self, inputs: Any) -> Any:
        """Return how far each vector `(..., d)` may move before a symbol can change: floats, like `symbols`."""
        return self(inputs, returns=MARGIN)

    def prefixes(self, symbols: Any) -> Any:
        """Return the vectors of all prefixes of symbols `(..., num_codebooks)`: `(..., num_codebooks, d)`."""
        return self(symbols, returns=PREFIXES)

    def decode(self, symbols: Any) -> Any:
        """Return the vectors that symbols stand for, exactly those that `call` returns for them.

        Args:
            symbols: Integers, or whole numbers as floats, of shape `(..., num_codebooks)`.

        Returns:
            Tensor of shape `(..., d)`.

        Raises:
            CodeError: If a symbol is negative, fractional or at least `size`, where that can be seen: not while a
                backend compiles.
        """
        self._check_symbols(symbols)
        return self(symbols, returns=DECODED)

    def answer(self, inputs: Any, returns: str) -> Any:
        """Return one of the answers that need no gradient by the inputs."""
        shape = (*ops.shape(inputs)[:-1], *self._last_axes(returns))
        if returns in (PREFIXES, DECODED):
            sums = self.sums(self.as_symbols(inputs))
            return ops.reshape(ops.cast(sums if returns == PREFIXES else sums[:, -1], self.compute_dtype), shape)
        choices = [ops.reshape(choice, shape) for choice in self.choose(self.flat_rows(inputs))]
        return choices if returns == CHOICES else choices[returns == MARGIN]

    def flat_rows(self, inputs: Any) -> Any:
        """Return vectors `(..., d)` as float32 rows `(n, d)`, rounded first to the layer's dtype."""
        return ops.reshape(ops.cast(self.as_called(inputs), "float32"), (-1, self.dimension))

    def as_symbols(self, symbols: Any) -> Any:
        """Return symbols of any shape and dtype as valid int32 rows `(n, num_codebooks)`."""
        whole = ops.clip(ops.cast(symbols, "int32"), 0, self.size - 1)  # backends read out of range as they please
        return ops.reshape(whole, (-1, self.num_codebooks))

    def compute_output_spec(self, inputs: Any, training: bool | None = None, returns: str = QUANTIZED) -> Any:
        if returns == CHOICES:
            return [self.compute_output_spec(inputs, returns=part) for part in (SYMBOLS, MARGIN)]
        dtype = {SYMBOLS: "int32", MARGIN: "float32", LOSSES: "float32"}.get(returns, self.compute_dtype)
        return keras.KerasTensor((*inputs.shape[:-1], *self._last_axes(returns)), dtype)

    def _last_axes(self, returns: str) -> tuple[int, ...]:
        if returns in (QUANTIZED, DECODED):
            return (self.dimension,)
        return (self.num_codebooks, self.dimension) if returns == PREFIXES else (self.num_codebooks,)

    def _check_symbols(self, symbols: Any) -> None:
        if len(symbols.shape) < 2 or symbols.shape[-1] != self.num_codebooks:
            raise CodeError(
                f"`symbols` must have shape (..., {self.num_codebooks}), one symbol per codebook: got shape "
                f"{tuple(symbols.shape)}."
            )
        try:
            known = None if keras.backend.is_keras_tensor(symbols) else ops.convert_to_numpy(symbols)
        except Exception:  # of a backend that is compiling, where nobody can know
            return
        if known is None:
            return
        wrong = (known < 0) | (known >= self.size) | (known != known.astype("int64"))
        if wrong.any():
            raise CodeError(
                f"`symbols` must be whole numbers from 0 to {self.size - 1}: got {known[wrong][0]}. They are damaged, "
                "or of another quantizer."
            )
