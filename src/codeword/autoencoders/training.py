"""How an autoencoder is trained: its data kind, its networks, and the comparison of its codes with plain ones."""

import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import validate_data

from codeword.arrays.rows import as_rows
from codeword.autoencoders.heads import loss_of, metrics_of
from codeword.autoencoders.networks import build_autoencoder
from codeword.autoencoders.own_models import check_rescaling
from codeword.autoencoders.plain_codes import MOST_QUERIES, neighbor_recall, plain_codes, recall_line
from codeword.autoencoders.residual import best_directions, build_residual
from codeword.autoencoders.saving import SavedAutoencoder
from codeword.backend import keras
from codeword.code_kinds import Bits, CodeKind, packing
from codeword.data_kinds import DataKind, Statistics, infer_data_kind
from codeword.errors import DataError, ParameterError
from codeword.inference.compiled_inference import in_both_modes
from codeword.inference.fixed_batches import collected, in_fixed_batches
from codeword.objectives import Objective, Reconstruct
from codeword.objectives.naming import default_objective
from codeword.objectives.objective import Given, Networks, Rows
from codeword.training import recipe

GAP_ROWS = 2_048
QUERIES_SHARE = 0.1  # of the rows, to compare codes by
LEAST_COMPARED = 100  # rows
LEAST_QUERIES = 10


class TrainedAutoencoder(SavedAutoencoder):
    """The half of `Autoencoder` that `fit` runs."""

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
        code, objective = self._code_or_default, self._objective_for(kind)
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
                self._keep_the_best_codes(rows, self._prepared(queries))
            self.training_gap_ = self._measured_gap(rows.values[:GAP_ROWS], rows.entered[:GAP_ROWS])

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
        self.code_ = self._code_or_default
        self.is_linear_ = False
        self._build_networks()

    @property
    def _code_or_default(self) -> CodeKind:
        return self.code if self.code is not None else Bits(64)

    def _objective_for(self, kind: DataKind) -> Objective:
        return self.objective if self.objective is not None else default_objective(kind, self._code_or_default)

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

    def _keep_the_best_codes(self, rows: Rows, queries: Rows) -> None:
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
            self._train_by(Reconstruct(swap=0, noise=0), rows, None, callbacks=())
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

    def _prepared(self, values: NDArray[Any]) -> Rows:
        return Rows(values, self.data_.to_network(values, self.statistics_))

    def _values_of(self, output: NDArray[Any]) -> NDArray[Any]:
        return self.data_.from_network(output, self.statistics_)
