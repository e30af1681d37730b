"""The autoencoder: values -> encoder -> code -> symbols -> bytes, and back."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from codeword.arrays.memory_maps import let_go
from codeword.arrays.rows import as_rows, check_shape
from codeword.autoencoders.semantic_ids import unique_ids
from codeword.autoencoders.training import TrainedAutoencoder
from codeword.code_kinds import CodeKind, packing
from codeword.data_kinds import DataKind
from codeword.errors import ParameterError
from codeword.files.table_pieces import TableRows
from codeword.inference.fixed_batches import collected, in_fixed_batches
from codeword.objectives import Objective
from codeword.search.queries import Queries
from codeword.search.store_checks import as_bits
from codeword.settings import replace_nested

Pieces = Iterator[tuple[slice, Sequence[NDArray[Any]]]]


class Autoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, TrainedAutoencoder):
    """Learn a compact code for each row and reconstruct the row from it.

    The code is discrete during training, so what is stored is what was trained: `decode(encode(x))` equals
    `reconstruct(x)`, which runs the whole network in one piece.

    Args:
        data: Data kind: `Levels`, `Binary`, `UnitInterval` or `Real`. None: inferred from the data by
            `infer_data_kind`.
        code: Code kind: `Bits`, `Scalars`, `Choices`, `Residual` or `Floats`. None: `Bits(64)`.
        objective: What the code is for: `objectives.Reconstruct`, `KeepGroups` or `KeepNeighbors`. None:
            `KeepNeighbors()` for `Bits` of `UnitInterval` and `Real` data, which are mostly searched, else
            `Reconstruct()`.
        hidden: Units of the dense layers before the code; the decoder has the same in reverse order. `Residual` has no
            such layers: its units are hidden in the networks that adjust the entries of codebooks. None: (512, 512),
            for `KeepNeighbors` (1024,), for `Residual` (128,); with () its codebooks stay plain.
        encoder: Your own Keras model or layer instead of the dense layers. It takes a row as it enters the network:
            levels as one-hot on a last axis, `Real` data standardized. It is copied with its weights.
        decoder: Your own Keras model or layer instead of the dense layers. It takes a code of shape `(num_symbols,)`,
            or `(num_choices * size,)` for `Choices`. It returns features, or the output itself, with or without the
            activation that the data kind needs. It is copied with its weights.
        epochs: Maximum number of epochs. None: 15 for `Residual`, 40 for `Reconstruct`, else 1,200 steps, but at least
            10 epochs.
        batch_size: Rows per step, to which `KeepGroups` adds a partner each and `KeepNeighbors` two. None: 512 for
            `Residual`, 128 for `Reconstruct`, 512 for `KeepGroups`, 256 for `KeepNeighbors`, or an eighth of few rows.
        learning_rate: Highest learning rate of AdamW; it falls to 0 along a half cosine.
        weight_decay: Weight decay of AdamW. More of it helps with few rows.
        patience: Epochs without a better validation loss before training stops. None: all epochs are run. In both
            cases the best weights are kept. Without held-out rows, training never stops early.
        validation_fraction: Share of rows, chosen at random, to hold out if `fit` gets no `validation_data`.
        seed: Seed of everything random. The same seed, machine and backend give the same codes.
        verbose: 0 or False: silent. 1 or True: progress bars. 2: one line per epoch.

    Attributes:
        model_: Keras model from a row as it enters the network (`Real` data standardized, other data as it is) to the
            output of the head. `data_.from_network` turns that into values.
        encoder_: The first half of `model_`: from a row as it enters the network to code values.
        decoder_: The second half of `model_`: from code values to the output of the head.
        data_: Data kind in use.
        code_: Code kind in use.
        objective_: Objective in use.
        input_shape_: Shape of one row.
        statistics_: What the data kind learned: mean and scale of `Real` data.
        num_directions_: Number of main directions of the rows in which `Residual` quantizes them, as held-out rows
            preferred; None for all, and for other codes.
        history_: Loss and metrics by name, one number per epoch of the training of the codes.
        recall_: For `KeepNeighbors`: the share of the ten nearest rows of held-out rows that the trained codes, random
            projections and ITQ find, by name. None for other objectives, own encoders, levels and few rows.
        is_linear_: Whether random projections or ITQ found more, so that the codes are theirs.
        training_gap_: The data kind's metrics on up to 2,048 training rows, in "training" and in "inference" mode.

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
        objective: Objective | None = None,
        hidden: Sequence[int] | None = None,
        encoder: Any = None,
        decoder: Any = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.1,
        patience: int | None = None,
        validation_fraction: float = 0.0,
        seed: int = 0,
        verbose: bool | int = 1,
    ) -> None:
        self.data = data
        self.code = code
        self.objective = objective
        self.hidden = hidden
        self.encoder = encoder
        self.decoder = decoder
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.seed = seed
        self.verbose = verbose

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name, also those of a kind or an objective: `code__num_bits=16`, `objective__swap=0.1`.

        Kinds and objectives never change: the estimator gets new ones.
        """
        new: Self = super().set_params(**replace_nested(self.get_params(deep=False), params))
        return new

    def fit(self, x: Any, y: Any = None, *, validation_data: Any = None, callbacks: Sequence[Any] = ()) -> Self:
        """Train on rows. If that fails, the estimator stays as it was.

        Args:
            x: Array or frame of shape `(n, ...)`, values of the data kind.
            y: Ignored, present for scikit-learn.
            validation_data: Held-out rows like `x`: the weights with the lowest loss on them are kept.
            callbacks: Keras callbacks.

        Returns:
            The estimator itself.

        Raises:
            DataError: If a value is not allowed, before training starts.
            DataTypeError: If `x` is not an array of numbers, before training starts.
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

    def encode(self, x: Any, *, return_margin: bool = False) -> Any:
        """Return each row's code as packed bytes.

        Args:
            x: Rows like those of `fit`.
            return_margin: Also return how near each symbol is to another one.

        Returns:
            C-contiguous uint8 array of shape `(n, code_.num_bytes)`. With `return_margin` also a float32 array of shape
            `(n, code_.num_symbols)`: the distance to the nearest threshold, in units of the spread of the values
            before the threshold. Below 5e-5 another backend may produce another symbol.
        """
        rows = self._given(x)
        symbols = self._symbols(rows, margin=return_margin)
        pieces = ((part, (packing.pack(found, self.code_), *margin)) for part, (found, *margin) in symbols)
        codes, *margin = collected(pieces, len(rows))
        return (codes, *margin) if return_margin else codes

    def queries(self, x: Any) -> Queries:
        """Encode rows to search with: their codes, the margins of their bits, and the rows for rescoring.

        Args:
            x: Rows like those of `fit`.

        Returns:
            `Queries` for `HammingIndex.search` and `CodeStore.search`.

        Raises:
            CodeError: If the codes are not `Bits`.
        """
        codes, margins = self.encode(x, return_margin=True)
        num_bits = as_bits(self.code_).num_bits
        return Queries(codes, margins=margins, rows=self._given(x), num_bits=num_bits, fingerprint=self.fingerprint_)

    def encode_pieces(self, x: Any) -> Iterator[NDArray[np.uint8]]:
        """Yield the codes of consecutive pieces of rows, for more rows than fit in memory.

        Args:
            x: Rows like those of `fit`, or a table on disk from `table_pieces.open_rows`.

        Yields:
            What `encode` returns, cut into pieces of some hundred or thousand rows.

        Raises:
            DataError: If a value is not allowed, when its piece is reached.
            DataTypeError: If `x` does not hold numbers.
        """
        for _, (symbols,) in self._symbols(self._given(x)):
            yield packing.pack(symbols, self.code_)

    def decode(self, codes: Any) -> NDArray[Any]:
        """Reconstruct rows from their codes.

        Args:
            codes: uint8 array of shape `(n, code_.num_bytes)` from `encode`.

        Returns:
            Array of shape `(n, *input_shape_)` that holds only values of the data kind.

        Raises:
            CodeError: If this model cannot have made the codes.
        """
        codes = self._given_codes(codes)
        (values,) = collected(self._decoded(codes, self._values_of), len(codes))
        return values

    def decode_pieces(self, codes: Any) -> Iterator[NDArray[Any]]:
        """Yield the reconstructions of consecutive pieces of codes, for more rows than fit in memory.

        Args:
            codes: Codes like those of `encode`, or a table on disk from `table_pieces.open_codes`.

        Yields:
            What `decode` returns, cut into pieces of some hundred or thousand rows.

        Raises:
            CodeError: If this model cannot have made the codes, when their piece is reached.
        """
        for _, (values,) in self._decoded(self._given_codes(codes), self._values_of):
            yield values

    def decode_proba(self, codes: Any) -> NDArray[np.float32]:
        """Return each level's probability, decoded from codes: shape `(n, *input_shape_, num_levels)`."""
        check_is_fitted(self)
        probabilities = getattr(self.data_, "probabilities", None)
        if probabilities is None:
            raise ParameterError(f"`data` must be Levels for probabilities: got {self.data_}.")
        codes = self._given_codes(codes)
        (values,) = collected(self._decoded(codes, probabilities), len(codes))
        return values

    def transform(self, x: Any) -> NDArray[Any]:
        """Return each row's symbols: integers of shape `(n, code_.num_symbols)`, float32 for `Floats`."""
        rows = self._given(x)
        pieces = ((part, [found.astype(self.code_.symbol_dtype)]) for part, (found,) in self._symbols(rows))
        (symbols,) = collected(pieces, len(rows))
        return symbols

    def semantic_ids(self, x: Any, *, taken: Any = None) -> NDArray[np.int32]:
        """Return an ID of each row: its symbols, and a last digit that makes the ID unique.

        Rows that mean nearly the same share their first symbols. Rows with the same symbols are numbered in the order
        of their values, so their order in `x` does not matter. New rows need no training: pass the IDs that were given
        before, which stay as they are, as `taken`.

        Args:
            x: Rows like those of `fit`.
            taken: IDs given before, integers of shape `(m, code_.num_symbols + 1)`. None: there are none.

        Returns:
            C-contiguous int32 array of shape `(n, code_.num_symbols + 1)`. `inverse_transform(ids[:, :-1])`
            reconstructs the rows.

        Raises:
            DataError: If `taken` holds no such IDs, or one twice.
            ParameterError: If the code is `Floats`, which have no symbols.
        """
        rows = self._given(x)
        if self.code_.symbol_dtype is np.float32:
            raise ParameterError(f"`code` must have integer symbols for semantic IDs: got {self.code_}.")
        return unique_ids(self.transform(x), self.data_.check(rows), taken)

    def inverse_transform(self, symbols: Any) -> NDArray[Any]:
        """Reconstruct rows from their symbols."""
        check_is_fitted(self)
        return self.decode(packing.pack(symbols, self.code_))

    def reconstruct(self, x: Any) -> NDArray[Any]:
        """Run rows through the whole network `model_` in one piece, in inference mode.

        Args:
            x: Rows like those of `fit`.

        Returns:
            Values of the data kind in the shape of `x`.
        """
        rows = self._given(x)
        (values,) = collected(self._run(self.model_, rows, self._entered, self._values_of, "reconstruct"), len(rows))
        return values

    def score(self, x: Any, y: Any = None) -> float:
        """Return the share of cells that coding and decoding keeps exact; for real numbers the negative MSE.

        Args:
            x: Rows like those of `fit`.
            y: Ignored, present for scikit-learn.
        """
        metrics = self.evaluate(x)
        return metrics["cells_exact"] if "cells_exact" in metrics else -metrics["mse"]

    def evaluate(self, x: Any) -> dict[str, float]:
        """Compare rows with their reconstructions: "cells_exact" and "rows_exact", or "mse" for real numbers."""
        decoded = self.decode(self.encode(x))
        return self.data_.metrics(self.data_.check(self._given(x)), decoded, self.statistics_)

    def _given(self, x: Any) -> Any:
        """Return rows as an array, values unread, or as a table on disk, after checking their shape and columns."""
        check_is_fitted(self)
        if isinstance(x, TableRows):
            check_shape(x.shape, self.input_shape_, estimator=type(self).__name__)
            values: Any = x
        else:
            values = as_rows(x, self.input_shape_, estimator=type(self).__name__)
        validate_data(self, x, reset=False, skip_check_array=True)
        return values

    def _entered(self, piece: NDArray[Any], first_row: int | None) -> NDArray[np.float32]:
        entered = self.data_.to_network(self.data_.check(piece, first_row=first_row), self.statistics_)
        let_go(piece)
        return entered

    def _symbols(self, rows: Any, *, margin: bool = False) -> Pieces:
        """Yield the symbols, and with `margin` also the margins, of consecutive pieces of rows."""
        wanted = slice(2 if margin else 1)
        return in_fixed_batches(
            self._symbolizer,
            rows,
            prepare=self._entered,
            take=lambda outputs: outputs[wanted],
            description="encode",
            verbose=self.verbose,
        )

    def _given_codes(self, codes: Any) -> Any:
        check_is_fitted(self)
        return codes if isinstance(codes, TableRows) else packing.check_codes(codes, self.code_)

    def _decoded(self, codes: Any, finish: Callable[[NDArray[Any]], NDArray[Any]]) -> Pieces:
        """Yield what `finish` makes of the output for consecutive pieces of checked codes."""
        return self._run(self.decoder_, codes, self._unpacked, finish, "decode")

    def _unpacked(self, piece: NDArray[np.uint8], first_row: int | None) -> NDArray[np.float32]:
        symbols = packing.unpack(piece, self.code_, first_row=first_row or 0)
        let_go(piece)
        return self.code_.to_network(symbols)

    def _run(self, network: Any, rows: Any, prepare: Any, finish: Any, description: str) -> Pieces:
        pieces = in_fixed_batches(network, rows, prepare=prepare, description=description, verbose=self.verbose)
        return ((part, [finish(output)]) for part, output in pieces)

    @property
    def _n_features_out(self) -> int:
        return self.code_.num_symbols

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []  # symbols are integers, whatever the rows are
        return tags
