"""The autoencoder: values -> encoder -> code -> symbols -> bytes, and back."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from codeword.arrays.finite_numbers import as_numbers
from codeword.arrays.rows import check_rows, check_shape
from codeword.autoencoders.networks import build_autoencoder
from codeword.autoencoders.saving import SavedAutoencoder
from codeword.autoencoders.settings import check_settings
from codeword.autoencoders.training import TrainingRows, noise_of, train
from codeword.backend import keras
from codeword.code_kinds import Bits, CodeKind, packing
from codeword.data_kinds import DataKind, infer_data_kind
from codeword.errors import ParameterError
from codeword.files.table_pieces import TableRows
from codeword.files.tables import as_array
from codeword.inference.compiled_inference import in_both_modes
from codeword.inference.fixed_batches import in_fixed_batches
from codeword.inference.prepared_rows import PreparedRows
from codeword.training import recipe as fitting

GAP_ROWS = 2_048
Finish = Callable[[NDArray[Any]], NDArray[Any]]


class Autoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, SavedAutoencoder):
    """Learns a code for every row, and to give the row back from its code.

    The code is discrete in the training itself, so `decode(encode(x))` after storage is what was trained: it equals
    `reconstruct(x)`, the whole network in one piece.

    Args:
        data: Data kind: `Levels`, `Binary`, `UnitInterval` or `Real`. None: told from the data, `infer_data_kind`.
        code: Code kind: `Bits`, `Scalars`, `Choices` or `Floats`. None: `Bits(64)`.
        hidden: Units of the dense layers before the code; the decoder has the same in reverse.
        encoder, decoder: Own functional or Sequential Keras models instead of the dense body; they are copied with
            their weights, not changed. The encoder takes a row as it enters the network (levels as one-hot on a last
            axis), the decoder a code of shape `(num_symbols,)`, for `Choices` `(num_choices * size,)`.
        similar: Which rows get similar `Bits`, and so are found by Hamming distance. "groups": rows that a walk along
            nearest neighbors joins; to find all of a kind. "neighbors": a row and its nearest rows; to find those
            again. "nothing": codes only serve to give rows back, which they then do best. Nearest is meant by the
            Euclidean distance of the values: bring columns to scales that compare. None: "groups" for `Bits` of
            `UnitInterval` and `Real` data, else "nothing".
        walk: Pair of integers, with `similar`: from how many nearest rows each step of a walk chooses, and its steps.
            Long walks among few neighbors follow chains of like rows, as images make; (100, 1) suits texts, which lie
            apart in all directions. None: (10, 20) for "groups", (10, 1) for "neighbors".
        augment: What rows may be varied by without getting another code, with `similar`. "images": turning, scaling
            and shifting images of shape `(h, w)` or `(h, w, channels)`; or a Keras layer from rows to rows.
        noise: Standard deviation of Gaussian noise before the code's thresholds in training, in units of the values'
            spread. It drives the values away from the thresholds. None: the measured default of the code kind.
        swap: Share of the cells that training exchanges, in input and target, for the same cell of another row, so
            that it cannot learn the rows by heart; 0 to 1; with similar="nothing" only. None: the measured default.
        epochs: Most passes over the data. None: 40; with `similar` 1,200 steps, and at least 10.
        batch_size: Rows a step; with `similar` each comes with a partner. None: 128; with `similar` 512, or an eighth
            of fewer than 4,096 rows.
        learning_rate: AdamW's highest rate; it falls to 0 along a half cosine.
        weight_decay: AdamW's; more of it helps where rows are few.
        patience: Epochs without a better validation loss before training stops; None: all epochs. The best weights
            are kept in either case. Without validation data nothing stops early.
        seed: Same seed, machine and backend: same codes.
        verbose: 0 silent, 1 progress bars, 2 a line an epoch.

    Attributes:
        model_, encoder_, decoder_: Open Keras models: row to head's output, row to code, code to head's output.
        data_, code_: The kinds in use.
        input_shape_: Shape of one row.
        history_: Loss and metrics by name, one number an epoch.
        training_gap_: The data kind's metrics on up to 2,048 training rows, in "training" mode and in "inference".

    Example:
        >>> x = np.random.default_rng(0).integers(0, 4, size=(64, 8, 8)) / 4
        >>> ae = Autoencoder(data=Levels([0, .25, .5, .75]), code=Scalars(8), hidden=(16,), epochs=1, verbose=0).fit(x)
        >>> codes = ae.encode(x)
        >>> codes.shape, codes.dtype.name, ae.decode(codes).shape
        ((64, 8), 'uint8', (64, 8, 8))
    """

    def __init__(
        self,
        *,
        data: DataKind | None = None,
        code: CodeKind | None = None,
        hidden: Sequence[int] = (512, 512),
        encoder: Any = None,
        decoder: Any = None,
        similar: str | None = None,
        walk: tuple[int, int] | None = None,
        augment: Any = None,
        noise: float | None = None,
        swap: float | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.1,
        patience: int | None = None,
        seed: int = 0,
        verbose: int = 1,
    ) -> None:
        self.data = data
        self.code = code
        self.hidden = hidden
        self.encoder = encoder
        self.decoder = decoder
        self.similar = similar
        self.walk = walk
        self.augment = augment
        self.noise = noise
        self.swap = swap
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.patience = patience
        self.seed = seed
        self.verbose = verbose

    def fit(self, x: Any, y: Any = None, *, validation_data: Any = None, callbacks: Sequence[Any] = ()) -> Self:
        """Learns from rows. If that fails, the estimator is what it was before.

        Args:
            x: Array or frame of shape `(n, ...)`, values of the data kind.
            y: Ignored; there for scikit-learn.
            validation_data: Array like `x`, held out: the best weights by its loss are kept.
            callbacks: Keras callbacks.

        Raises:
            DataError, DataTypeError: If a value is not allowed, before anything is trained.
            ParameterError: If a setting cannot work.
            DivergedError: If the loss becomes NaN or infinite.
        """
        before = dict(vars(self))
        try:
            self._fit(x, validation_data, callbacks)
        except BaseException:
            self.__dict__ = before
            raise
        return self

    def _fit(self, x: Any, validation_data: Any, callbacks: Sequence[Any]) -> None:
        check_settings(self)
        values = as_array(x)
        kind = self.data if self.data is not None else infer_data_kind(check_rows(values))
        values = kind.check(check_rows(values))
        validate_data(self, x, skip_check_array=True)
        validation = None
        if validation_data is not None:
            given = validation_data[0] if isinstance(validation_data, tuple) else validation_data
            validation = kind.check(check_rows(as_array(given), values.shape[1:], "validation_data"))

        self.data_ = kind
        self.code_ = self.code if self.code is not None else Bits(64)
        self.input_shape_ = values.shape[1:]
        self.statistics_ = kind.learn(values)
        rows = TrainingRows(values, kind.to_network(values, self.statistics_))
        held_out = None
        if validation is not None:
            held_out = TrainingRows(validation, kind.to_network(validation, self.statistics_))
        self._build_networks()
        with fitting.seeded(int(self.seed)):
            self.history_ = train(self, rows, held_out, callbacks)
            self.training_gap_ = self._measure_gap(values[:GAP_ROWS], rows.entered[:GAP_ROWS])

    def encode(self, x: Any, *, return_margin: bool = False) -> Any:
        """Gives each row's code as packed bytes.

        Args:
            x: Rows like those of `fit`.
            return_margin: Whether to return also how near each symbol lies to another one.

        Returns:
            C-contiguous uint8 array of shape `(n, code_.num_bytes)`. With `return_margin` a pair: codes, and float32
            of shape `(n, code_.num_symbols)`, the distance to the nearest threshold in units of the value's spread
            before the threshold. Below 5e-5 another backend may give another symbol.
        """
        rows = self._rows(x)
        codes = np.empty((len(rows), self.code_.num_bytes), np.uint8)
        if not return_margin:
            for part, (symbols,) in self._symbols(rows):
                codes[part] = packing.pack(symbols, self.code_)
            return codes
        margin = np.empty((len(rows), self.code_.num_symbols), np.float32)
        for part, (symbols, distances) in self._symbols(rows, margin=True):
            codes[part], margin[part] = packing.pack(symbols, self.code_), distances
        return codes, margin

    def encode_pieces(self, x: Any) -> Iterator[NDArray[np.uint8]]:
        """Gives the codes of some rows after the other, for more rows than there is memory.

        Args:
            x: Rows like those of `fit`; or a table on the disk, from `table_pieces.open_rows`.

        Yields:
            What `encode` returns, cut into pieces of some hundred or thousand rows.

        Raises:
            DataError, DataTypeError: If a value is not allowed, when its piece comes.
        """
        for _, (symbols,) in self._symbols(self._rows(x)):
            yield packing.pack(symbols, self.code_)

    def decode(self, codes: Any) -> NDArray[Any]:
        """Gives rows back from their codes.

        Args:
            codes: uint8 of shape `(n, code_.num_bytes)`, from `encode`.

        Returns:
            Array of shape `(n, *input_shape_)`; only values of the data kind.

        Raises:
            CodeError: If the codes cannot be this model's.
        """
        check_is_fitted(self)
        return _collected(self._decoded(self._packed(codes), self._values_of), len(codes))

    def decode_pieces(self, codes: Any) -> Iterator[NDArray[Any]]:
        """Gives rows back from some codes after the other, for more rows than there is memory.

        Args:
            codes: Codes like those of `encode`; or those in a table on the disk, from `table_pieces.open_codes`.

        Yields:
            What `decode` returns, cut into pieces of some hundred or thousand rows.

        Raises:
            CodeError: If the codes cannot be this model's, when their piece comes.
        """
        check_is_fitted(self)
        for _, values in self._decoded(self._packed(codes), self._values_of):
            yield values

    def decode_proba(self, codes: Any) -> NDArray[np.float32]:
        """Gives each level's probability from codes: shape `(n, *input_shape_, num_levels)`."""
        check_is_fitted(self)
        probabilities = getattr(self.data_, "probabilities", None)
        if probabilities is None:
            raise ParameterError(f"Only Levels have probabilities of levels. Received: {self.data_}.")
        return _collected(self._decoded(self._packed(codes), probabilities), len(codes))

    def transform(self, x: Any) -> NDArray[Any]:
        """Gives each row's symbols: integers of shape `(n, code_.num_symbols)`; float32 for `Floats`."""
        rows = self._rows(x)
        found: NDArray[Any] = np.empty((len(rows), self.code_.num_symbols), self.code_.symbol_dtype)
        for part, (symbols,) in self._symbols(rows):
            found[part] = symbols
        return found

    def inverse_transform(self, symbols: Any) -> NDArray[Any]:
        """Gives rows back from their symbols."""
        check_is_fitted(self)
        return self.decode(packing.pack(symbols, self.code_))

    def reconstruct(self, x: Any) -> NDArray[Any]:
        """Passes rows through the whole network `model_` in one piece, in inference mode.

        Returns:
            Values of the data kind, shape of `x`.
        """
        rows = self._rows(x)
        parts = in_fixed_batches(self.model_, rows, description="reconstruct", verbose=self.verbose)
        return _collected(((part, self._values_of(output)) for part, output in parts), len(rows))

    def score(self, x: Any, y: Any = None) -> float:
        """Gives the share of exact cells after coding and decoding; for real numbers the negative MSE."""
        metrics = self.evaluate(x)
        return metrics["cells_exact"] if "cells_exact" in metrics else -metrics["mse"]

    def evaluate(self, x: Any) -> dict[str, float]:
        """Compares rows with what comes back from their codes: "cells_exact" and "rows_exact", or "mse"."""
        decoded = self.decode(self.encode(x))
        return self.data_.metrics(self._values(x), decoded, self.statistics_)

    def _build_networks(self) -> None:
        """Makes the networks with fresh weights, which follow from the seed alone."""
        settings = {"hidden": self.hidden, "encoder": self.encoder, "decoder": self.decoder, "noise": noise_of(self)}
        with fitting.seeded(int(self.seed)):
            networks = build_autoencoder(self.data_, self.code_, self.input_shape_, **settings)
        self.model_, self.encoder_, self.decoder_, self._symbolizer = networks

    def _measure_gap(self, values: NDArray[Any], rows: NDArray[Any]) -> dict[str, dict[str, float]]:
        """Measures what noise and batch statistics make of the rows in training, beside inference."""
        gap = {}
        for mode, output in zip(("inference", "training"), in_both_modes(self.model_, rows), strict=True):
            restored = self.data_.from_network(keras.ops.convert_to_numpy(output), self.statistics_)
            gap[mode] = self.data_.metrics(values, restored, self.statistics_)
        if self.verbose:
            shown = [
                f"{name} {value:.4f} against {gap['inference'][name]:.4f}" for name, value in gap["training"].items()
            ]
            print(f"Training against inference on {len(rows)} rows: {', '.join(shown)}", file=sys.stderr)
        return gap

    def _given(self, x: Any) -> Any:
        """Returns rows as an array, their values unread, or as the table they are; refuses another shape."""
        check_is_fitted(self)
        values = x if isinstance(x, TableRows) else as_numbers(as_array(x))
        check_shape(values.shape, self.input_shape_, estimator=type(self).__name__)
        validate_data(self, x, reset=False, skip_check_array=True)
        return values

    def _values(self, x: Any) -> NDArray[Any]:
        """Returns rows as values of the data kind, or refuses them."""
        return self.data_.check(self._given(x))

    def _rows(self, x: Any) -> PreparedRows:
        """Gives rows as they enter the network, each checked when it is asked for."""
        return PreparedRows(self._given(x), self._entered)

    def _entered(self, piece: NDArray[Any], first_row: int | None) -> NDArray[np.float32]:
        return self.data_.to_network(self.data_.check(piece, first_row=first_row), self.statistics_)

    def _symbols(self, rows: PreparedRows, *, margin: bool = False) -> Iterator[tuple[slice, list[NDArray[Any]]]]:
        """Gives symbols, and on demand their margins, of one piece of rows after the other."""
        wanted = slice(2 if margin else 1)
        return in_fixed_batches(
            self._symbolizer, rows, take=lambda outputs: outputs[wanted], description="encode", verbose=self.verbose
        )

    def _packed(self, codes: Any) -> PreparedRows:
        """Gives codes as they enter the decoder, each checked when it is asked for."""
        given = codes if isinstance(codes, TableRows) else packing.check_codes(codes, self.code_)
        return PreparedRows(given, self._unpacked)

    def _unpacked(self, piece: NDArray[np.uint8], first_row: int | None) -> NDArray[np.float32]:
        return self.code_.to_network(packing.unpack(piece, self.code_, first_row=first_row or 0))

    def _decoded(self, codes: PreparedRows, finish: Finish) -> Iterator[tuple[slice, NDArray[Any]]]:
        parts = in_fixed_batches(self.decoder_, codes, description="decode", verbose=self.verbose)
        return ((part, finish(output)) for part, output in parts)

    def _values_of(self, output: NDArray[Any]) -> NDArray[Any]:
        return self.data_.from_network(output, self.statistics_)

    @property
    def _n_features_out(self) -> int:
        return self.code_.num_symbols

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []  # symbols are integers, whatever the rows are
        return tags


def _collected(parts: Iterable[tuple[slice, NDArray[Any]]], num_rows: int) -> NDArray[Any]:
    """Puts pieces of rows into one array."""
    values: NDArray[Any] | None = None
    for rows, piece in parts:
        if values is None:
            values = np.empty((num_rows, *piece.shape[1:]), piece.dtype)
        values[rows] = piece
    assert values is not None, "in_fixed_batches runs at least once"
    return values
