"""The autoencoder: values -> encoder -> code -> symbols -> bytes, and back."""

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from codeword.arrays.memory_maps import let_go
from codeword.arrays.rows import as_rows, check_shape
from codeword.autoencoders.heads import loss_of, metrics_of
from codeword.autoencoders.networks import build_autoencoder
from codeword.autoencoders.own_models import check_rescaling
from codeword.autoencoders.plain_codes import MOST_QUERIES, neighbor_recall, plain_codes, recall_line
from codeword.autoencoders.residual import best_directions, build_residual
from codeword.autoencoders.saving import SavedAutoencoder
from codeword.autoencoders.semantic_ids import unique_ids
from codeword.backend import keras
from codeword.code_kinds import Bits, CodeKind, packing
from codeword.data_kinds import DataKind, Statistics, infer_data_kind
from codeword.errors import DataError, ParameterError
from codeword.files.table_pieces import TableRows
from codeword.inference.compiled_inference import in_both_modes
from codeword.inference.fixed_batches import collected, in_fixed_batches
from codeword.objectives import Objective, Reconstruct
from codeword.objectives.naming import default_objective
from codeword.objectives.objective import Given, Networks, Rows
from codeword.search.queries import Queries
from codeword.search.store_checks import as_bits
from codeword.settings import replace_nested
from codeword.training import recipe

GAP_ROWS = 2_048
QUERIES_SHARE = 0.1  # of the rows, to compare codes by
LEAST_COMPARED = 100  # rows
LEAST_QUERIES = 10
Pieces = Iterator[tuple[slice, Sequence[NDArray[Any]]]]


class Autoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, SavedAutoencoder):
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

    def _fit(self, x: Any, validation_data: Any, callbacks: Sequence[Any]) -> None:
        self._check_settings()
        given = as_rows(x)
        kind = self.data if self.data is not None else infer_data_kind(given)
        values = kind.as_inferred(given) if self.data is None else kind.check(given)
        validate_data(self, x, skip_check_array=True)
        check_rescaling(self.encoder, kind)
        held_out = None
        if validation_data is not None:
            rows = validation_data[0] if isinstance(validation_data, tuple) else validation_data
            held_out = kind.check(as_rows(rows, values.shape[1:], "validation_data"))
        elif self.validation_fraction:
            values, held_out = self._split(values)
        code, objective = self.code or Bits(64), self._objective_for(kind)
        kind = kind.settled(values, keep_distances=objective.keep_distances or code.quantizes_rows)
        queries = held_out
        is_compared = objective.finds_nearest and self.encoder is None and kind.num_channels == 1
        if is_compared and held_out is None and len(values) >= LEAST_COMPARED:
            values, queries = self._split(values, min(QUERIES_SHARE, MOST_QUERIES / len(values)))
        statistics = kind.learn(values)
        self.num_directions_ = None
        if code.quantizes_rows:
            self.num_directions_ = best_directions(kind.to_network(values, statistics), code, int(self.seed))
        self._assemble(kind, values.shape[1:], statistics)
        self.recall_: dict[str, float] | None = None
        with recipe.seeded(int(self.seed)):
            rows = self._prepared(values)
            self._train(rows, None if held_out is None else self._prepared(held_out), callbacks)
            if is_compared and queries is not None and len(queries) >= LEAST_QUERIES:
                self._keep_the_best_codes(rows, self._prepared(queries), callbacks)
            self.training_gap_ = self._measured_gap(rows.values[:GAP_ROWS], rows.entered[:GAP_ROWS])

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

    def _check_settings(self) -> None:
        super()._check_settings()
        if self.data is not None and self.data.has_missing:
            raise ParameterError(
                f"`data` must be a kind without missing cells: got {self.data}. Use RatingAutoencoder for ratings "
                "and interactions."
            )
        if self.objective is not None and self.code is not None:
            self.objective.check_code(self.code)

    def _split(self, values: NDArray[Any], share: float | None = None) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return training rows and held-out rows, each in their order."""
        if len(values) < 2:
            raise DataError(f"`x` must have at least 2 rows to hold some out: got {len(values)} sample(s).")
        num_held_out = min(max(1, round((share or self.validation_fraction) * len(values))), len(values) - 1)
        held_out = np.zeros(len(values), bool)
        held_out[np.random.default_rng(int(self.seed)).permutation(len(values))[:num_held_out]] = True
        return values[~held_out], values[held_out]

    def _assemble(self, kind: DataKind, input_shape: tuple[int, ...], statistics: Statistics) -> None:
        """Take what is known of the data, and build the networks with fresh weights."""
        self.data_, self.input_shape_, self.statistics_ = kind, input_shape, statistics
        self.code_ = self.code if self.code is not None else Bits(64)
        self.is_linear_ = False
        self._build_networks()

    def _objective_for(self, kind: DataKind) -> Objective:
        return self.objective if self.objective is not None else default_objective(kind, self.code or Bits(64))

    def _build_networks(self) -> None:
        """Build the networks with fresh weights, which follow from the seed alone."""
        self.objective_ = self._objective_for(self.data_)
        build: Any = partial(build_autoencoder, linear=self.is_linear_)
        if self.code_.quantizes_rows:
            build = partial(build_residual, directions=self.num_directions_)
        with recipe.seeded(int(self.seed)):
            networks = build(
                self.data_,
                self.code_,
                self.input_shape_,
                hidden=self._hidden,
                noise=self.objective_.noise_for(self.code_),
                encoder=self.encoder,
                decoder=self.decoder,
            )
        self.model_, self.encoder_, self.decoder_, self._symbolizer, self._own_training = networks

    def _train(self, rows: Rows, held_out: Rows | None, callbacks: Sequence[Any]) -> None:
        """Train the networks."""
        if self.verbose and self.objective is None and self.objective_ != Reconstruct():
            chosen = f"objective={self.objective_}: the codes are for search. Reconstruct() reconstructs rows better."
            print(chosen, file=sys.stderr)
        self._train_by(self.objective_, rows, held_out, callbacks)

    def _train_by(self, objective: Objective, rows: Rows, held_out: Rows | None, callbacks: Sequence[Any]) -> None:
        given = Given(
            Networks(self.model_, self.encoder_, self.decoder_, self._symbolizer, self._own_training),
            self.code_,
            rows,
            held_out,
            loss=loss_of(self.data_),
            metrics=metrics_of(self.data_),
            batch_size=self.batch_size or self.code_.default_batch_size or objective.batch_size_for(len(rows.values)),
            seed=int(self.seed),
        )
        task = objective.task(given)
        self.history_ = recipe.fit(
            **task._asdict(),
            epochs=self.epochs or self.code_.default_epochs or objective.epochs_for(len(task.batches)),
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            patience=self.patience,
            callbacks=callbacks,
            verbose=int(self.verbose),
        )
        if self._own_training is not None:
            self._own_training.finish(rows.entered)

    def _keep_the_best_codes(self, rows: Rows, queries: Rows, callbacks: Sequence[Any]) -> None:
        """Replace the trained codes if plain ones find more of the nearest rows of queries, which were held out."""
        num_bits = self.code_.num_symbols
        plain = plain_codes(rows.entered, num_bits, int(self.seed))
        ways = {"trained": self._encode_entered, **{codes.name: codes.encode for codes in plain}}
        recall = neighbor_recall(rows, queries, ways, num_bits)
        best = max(plain, key=lambda codes: recall[codes.name])
        self.recall_, self.is_linear_ = recall, recall[best.name] > recall["trained"]
        if self.verbose:
            print(recall_line(recall, self.is_linear_, len(queries.values)), file=sys.stderr)
        if self.is_linear_:
            self._build_networks()
            best.enter(self.encoder_)
            self.encoder_.trainable = False
            history = self.history_
            self._train_by(Reconstruct(swap=0, noise=0), rows, None, callbacks)
            self.encoder_.trainable, self.history_ = True, history

    def _encode_entered(self, entered: NDArray[Any]) -> NDArray[np.uint8]:
        pieces = in_fixed_batches(
            self._symbolizer, entered, take=lambda outputs: outputs[:1], description="encode", verbose=0
        )
        (symbols,) = collected(pieces, len(entered))
        return packing.pack(symbols, self.code_)

    def _measured_gap(self, values: NDArray[Any], entered: NDArray[Any]) -> dict[str, dict[str, float]]:
        """Compare training mode, with its noise and batch statistics, to inference mode."""
        if self.code_.quantizes_rows:  # in both modes alike
            figures = self.data_.metrics(values, self.decode(self.encode(values)), self.statistics_)
            return {"inference": figures, "training": figures}
        outputs = [keras.ops.convert_to_numpy(output) for output in in_both_modes(self.model_, entered)]
        gap = {
            mode: self.data_.metrics(values, self._values_of(output), self.statistics_)
            for mode, output in zip(("inference", "training"), outputs, strict=True)
        }
        if self.verbose:
            shown = [
                f"{name} {value:.4f} in training mode, {gap['inference'][name]:.4f} in inference mode"
                for name, value in gap["training"].items()
            ]
            print(f"On {len(values)} training rows: {'; '.join(shown)}", file=sys.stderr)
        return gap

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

    def _prepared(self, values: NDArray[Any]) -> Rows:
        return Rows(values, self.data_.to_network(values, self.statistics_))

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
