"""The recommender autoencoder: learns from the ratings there are, predicts those there are not."""

from collections.abc import Iterator, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any, Self

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from tqdm import tqdm

from codeword.data_kinds import Ratings
from codeword.errors import DataError
from codeword.files.model_file import model_fingerprint, write_model_file
from codeword.recommenders.member import ROW_LENGTH, WIDTH, shifted
from codeword.recommenders.rating_table import COLUMNS, as_rating_table
from codeword.recommenders.row_network import Floats
from codeword.recommenders.saving import rating_parts_of
from codeword.recommenders.scores import RatingScores
from codeword.recommenders.settings import check_settings
from codeword.recommenders.top_items import top_items
from codeword.recommenders.training import train_members
from codeword.settings import check_number


class RatingAutoencoder(BaseEstimator):
    """Learns from sparse ratings, in which what is not rated is missing, neither learnt nor pulling on any weight.

    A rating is a mean, what its user and its item add to it (biases), and what an autoencoder of one hidden layer adds
    from all ratings of that item, or of that user. Only what was rated is learnt from; a step leaves the own weights of
    every column (user, or item) without a rating in its batch as they are, so that time and memory follow the ratings.

    Args:
        scale: Lowest and highest rating.
        step: Distance of the scale's own steps, .5 for half stars; None: any number between the ends.
        by: What the network reads as a row: "items" (more exact on both MovieLens sets), "users" (smaller and quicker
            where users are more than items; the network itself reads new people), or "both": networks of either kind,
            weighted by their errors on held-out ratings.
        members: Number of networks of each kind, from different random beginnings; their mean is more exact than one.
        units: Of the hidden layer.
        noise: Share of a row's ratings that do not enter in training, drawn anew in every step; 0 to below 1.
        weight_decay: Cost of the square of a column's weights in the batches in which it has a rating, in squared
            residuals on a scale 4 wide.
        epochs: Most passes over the ratings.
        batch_size: Ratings a step. None: a thirtieth of them, at most 100,000.
        learning_rate: Adam's highest rate; it falls to 0 along a half cosine.
        validation_fraction: Share of the ratings held out, within the rows, to stop training and weight networks;
            0: none.
        patience: Epochs without a smaller error on held-out ratings before training stops; the best weights are kept.
        columns: Names of a table's columns of users, items and ratings.
        seed: Same seed, same machine: same predictions, whichever Keras backend is in use.
        verbose: 0 silent, 1 a progress bar, 2 a line an epoch.

    Attributes:
        data_: The `Ratings` kind.
        users_, items_: Ids, ascending: int64 or text, `(num_users,)` and `(num_items,)`; num_ratings_: their ratings.
        ratings_: The training ratings: `matrix`, CSR (users, items), and the ids `users` and `items`.
        biases_: Mean and biases on a scale from 0 to 4.
        members_: The trained networks; member_weights_: their weights in the answer.
        history_: Of the first network: "mse" by epoch and, with held-out ratings, "val_rmse". Files do not keep it.
        model_, encoder_, decoder_: Keras models of the first network, made when asked for; copies.
        rows_: The rows that they take, CSR: residuals + 2.5 on a scale 4 wide, nothing stored where nothing was rated;
            of items, or users, as `members_[0].by` says.
        validation_rmse_: Of all networks together on the held-out ratings; NaN without.

    Example:
        >>> rows, columns = np.meshgrid(np.arange(30), np.arange(20), indexing="ij")
        >>> keep = np.random.default_rng(0).random(600) < 0.5
        >>> ratings = rows.ravel()[keep], columns.ravel()[keep], (1.0 + (rows + columns).ravel() % 5)[keep]
        >>> rec = RatingAutoencoder(scale=(1, 5), units=8, epochs=2, verbose=0).fit(ratings)
        >>> rec.predict([0, 1], [3, 4]).shape, rec.recommend([0, 1], k=3)[0].shape
        ((2,), (2, 3))

    Source:
        Sedhain et al., "AutoRec", 2015. Differs: residuals of biases that enter together with who rated, rows of one
        length, noise, and Adam over sparse rows.
    """

    def __init__(
        self,
        *,
        scale: tuple[float, float] = (1, 5),
        step: float | None = None,
        by: str = "items",
        members: int = 1,
        units: int = 250,
        noise: float = 0.5,
        weight_decay: float = 60.0,
        epochs: int = 14,
        batch_size: int | None = None,
        learning_rate: float = 4e-3,
        validation_fraction: float = 0.05,
        patience: int = 3,
        columns: Sequence[str] = COLUMNS,
        seed: int = 0,
        verbose: int = 1,
    ) -> None:
        self.scale = scale
        self.step = step
        self.by = by
        self.members = members
        self.units = units
        self.noise = noise
        self.weight_decay = weight_decay
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.columns = columns
        self.seed = seed
        self.verbose = verbose

    def fit(self, ratings: Any, y: Any = None, *, validation_data: Any = None) -> Self:
        """Learns from ratings.

        Args:
            ratings: scipy.sparse matrix (users, items) in which what is stored was rated, also a stored 0; or a data
                frame, a `.csv` or `.parquet` file, or a tuple of three arrays: users, items, ratings, with ids that
                are whole numbers or text.
            y: Ignored; there for scikit-learn.
            validation_data: Ratings to hold out instead of a random `validation_fraction`; of known users and items.

        Raises:
            DataError, DataTypeError: If a rating is not allowed, before anything is trained.
            ParameterError: If a setting cannot work.
            DivergedError: If the loss becomes NaN or infinite.
        """
        kind = check_settings(self)
        table = as_rating_table(ratings, kind, columns=self.columns)
        held_out = None
        if validation_data is not None:
            name = "validation_data"
            given = as_rating_table(validation_data, kind, columns=self.columns, name=name, like=table)
            held_out = self._scaled(given.held_out_of(table, name), kind)
        trained = train_members(self, self._scaled(table.matrix, kind), held_out)

        self.data_, self.ratings_ = kind, table
        self.biases_, self.members_, self.member_weights_, error = trained
        self.validation_rmse_ = error * self._unit
        self._prepare()
        return self

    def predict(self, users: Any, items: Any, *, rounded: bool = False, return_known: bool = False) -> Any:
        """Predicts what users would rate items.

        Users and items without a rating in training, and unknown ids, are answered from the biases alone: the mean,
        and what is known of the other of the two.

        Args:
            users, items: Ids, of one length, or a single one of either.
            rounded: Whether to give the scale's own steps instead of numbers between them.
            return_known: Whether to return also which answers are more than biases.

        Returns:
            float32 array `(n,)` within the scale; with `return_known` a pair: that, and booleans `(n,)`, true where
            user and item were both rated in training.

        Raises:
            DataTypeError: If ids are numbers where training had text, or the other way round.
        """
        check_is_fitted(self)
        rows, columns = self._pairs(users, items)
        answers = self._answers(self._scores.of_pairs(rows, columns), rounded)
        if not return_known:
            return answers
        return answers, self._scores.rated_users[rows] & self._scores.rated_items[columns]

    def predict_biases(self, users: Any, items: Any) -> NDArray[np.float32]:
        """Predicts from the biases alone, what any network must be better than: like `predict`."""
        check_is_fitted(self)
        rows, columns = self._pairs(users, items)
        return self._answers(self._scores.of_biases(rows, columns))

    def predict_rows(self, ratings: Any, *, rounded: bool = False) -> NDArray[np.float32]:
        """Predicts all items for people whom the model has never seen, from their ratings alone, without training.

        Args:
            ratings: Like those of `fit`. A matrix has the model's items as columns. In a table, ratings of items
                that the model does not know are left out; its users come in ascending order of their ids.
            rounded: Whether to give the scale's own steps.

        Returns:
            float32 array of shape `(people, num_items)`, columns in the order of `items_`. Who has no rating of a
            known item gets the biases alone. For many people take `recommend_rows`, which makes no such matrix.
        """
        matrix = self._rows_of_new(ratings)
        answers = np.empty(matrix.shape, np.float32)
        for rows, scores, _ in self._scores.of_new_users(self._scaled(matrix, self.data_)):
            answers[rows] = self._answers(scores, rounded)
        return answers

    def recommend(self, users: Any, k: int = 10, *, return_known: bool = False) -> Any:
        """Gives the items that users would rate highest among those that they have not rated.

        Items that nobody rated are never recommended. Users without a rating, or unknown, get the items of the highest
        biases.

        Args:
            users: Ids, `(n,)`.
            k: How many items.
            return_known: Whether to return also who has a rating, and so gets an answer of their own.

        Returns:
            Ids of items and predicted ratings within the scale, both of shape `(n, k)`, best first; with
            `return_known` also booleans `(n,)`. Where fewer items are left the rating is NaN, and the id, -1 or "",
            means nothing.
        """
        check_is_fitted(self)
        rows = self.ratings_.users.positions(users, "users")
        found = self._recommended(len(rows), k, self._scores.of_users(rows))
        return (*found, self._scores.rated_users[rows]) if return_known else found

    def recommend_rows(self, ratings: Any, k: int = 10, *, return_known: bool = False) -> Any:
        """Recommends to people whom the model has never seen: `recommend` from ratings like `predict_rows`'s."""
        matrix = self._rows_of_new(ratings)
        found = self._recommended(matrix.shape[0], k, self._scores.of_new_users(self._scaled(matrix, self.data_)))
        return (*found, np.diff(matrix.indptr) > 0) if return_known else found

    def evaluate(self, ratings: Any) -> dict[str, float]:
        """Compares ratings with predictions.

        Args:
            ratings: Like those of `fit`: a table with the same ids, or a matrix of the same shape.

        Returns:
            "rmse" and "mae" in units of the ratings, "rmse_biases" of the biases alone, to compare with, and "known",
            the share of ratings whose user and item both were rated in training.
        """
        check_is_fitted(self)
        table = as_rating_table(ratings, self.data_, columns=self.columns, like=self.ratings_)
        table.check_same_ids(self.ratings_, "ratings")
        users, items, given = table.pairs()
        predicted, known = self.predict(users, items, return_known=True)
        biases = self.data_.metrics(given, self.predict_biases(users, items), {})
        figures = self.data_.metrics(given, predicted, {})
        return {**figures, "rmse_biases": biases["rmse"], "known": float(known.mean())}

    def score(self, ratings: Any, y: Any = None) -> float:
        """Gives the negative root mean squared error, so that more is better.

        Cross-validate on tables: the folds of a matrix's rows are other people.
        """
        return -self.evaluate(ratings)["rmse"]

    def save(self, path: str | Path) -> str:
        """Writes the model, with the ratings it was trained on, to one `.codeword` file, whole or not at all.

        Returns:
            The model's fingerprint.
        """
        check_is_fitted(self)
        config, arrays = rating_parts_of(self)
        write_model_file(path, config, arrays)
        return model_fingerprint(config, arrays)

    @property
    def fingerprint_(self) -> str:
        """64 hexadecimal digits that tell this model from any other."""
        check_is_fitted(self)
        return model_fingerprint(*rating_parts_of(self))

    @property
    def users_(self) -> NDArray[Any]:
        check_is_fitted(self)
        return self.ratings_.users.values

    @property
    def items_(self) -> NDArray[Any]:
        check_is_fitted(self)
        return self.ratings_.items.values

    @property
    def num_ratings_(self) -> int:
        check_is_fitted(self)
        return int(self.ratings_.matrix.nnz)

    @property
    def history_(self) -> dict[str, list[float]]:
        check_is_fitted(self)
        return self.members_[0].history

    @property
    def model_(self) -> Any:
        return self._keras_models()[0]

    @property
    def encoder_(self) -> Any:
        return self._keras_models()[1]

    @property
    def decoder_(self) -> Any:
        return self._keras_models()[2]

    @property
    def rows_(self) -> scipy.sparse.csr_array:
        check_is_fitted(self)
        return shifted(self._scores.rows(self.members_[0].by))

    def _pairs(self, users: Any, items: Any) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Gives the positions of users and items, -1 for unknown ones; one is repeated for all of the other."""
        rows, columns = self.ratings_.users.positions(users, "users"), self.ratings_.items.positions(items, "items")
        if len(rows) != len(columns) and 1 not in (len(rows), len(columns)):
            raise DataError(
                f"`users` and `items` must be pairs. Received: {len(rows)} users and {len(columns)} items. Give as "
                "many of one as of the other, or one."
            )
        rows, columns = np.broadcast_arrays(rows, columns)
        return rows, columns

    def _keras_models(self) -> Any:
        from codeword.recommenders.networks import keras_models  # only who asks for Keras models loads Keras
        from codeword.training.recipe import seeded

        check_is_fitted(self)
        with seeded(int(self.seed)):
            return keras_models(vars(self.members_[0].network), row_length=ROW_LENGTH)

    @property
    def _unit(self) -> float:
        return (self.data_.high - self.data_.low) / WIDTH

    def _scaled(self, matrix: scipy.sparse.csr_array, kind: Ratings) -> scipy.sparse.csr_array:
        """Gives ratings on a scale from 0 to 4."""
        data = (matrix.data - np.float32(kind.low)) * np.float32(WIDTH / (kind.high - kind.low))
        return scipy.sparse.csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)

    def _prepare(self) -> None:
        """Works out what every answer needs."""
        scaled = self._scaled(self.ratings_.matrix, self.data_)
        self._scores = RatingScores(scaled, self.biases_, self.members_, self.member_weights_)

    def _answers(self, scores: Floats, rounded: bool = False) -> NDArray[np.float32]:
        ratings = self.data_.from_network(self.data_.low + scores * self._unit, {})
        return self.data_.quantize(ratings).astype(np.float32) if rounded else ratings

    def _recommended(
        self, number: int, k: int, scored: Iterator[tuple[slice, Floats, scipy.sparse.csr_array]]
    ) -> tuple[NDArray[Any], NDArray[np.float32]]:
        check_number("k", k, Integral, 1)
        ids = self.ratings_.items.values
        nothing = -1 if ids.dtype.kind == "i" else ""
        items, answers = np.full((number, k), nothing, ids.dtype), np.full((number, k), np.nan, np.float32)
        few = min(k, len(ids))
        with tqdm(total=number, desc="recommend", unit="user", disable=self.verbose != 1, delay=1) as bar:
            for part, scores, rated in scored:
                scores[:, ~self._scores.rated_items[:-1]] = -np.inf
                columns, best = top_items(scores, rated, few)
                items[part, :few] = np.where(columns < 0, nothing, ids[columns])
                answers[part, :few] = self._answers(best)
                bar.update(len(scores))
        return items, answers

    def _rows_of_new(self, ratings: Any) -> scipy.sparse.csr_array:
        check_is_fitted(self)
        table = as_rating_table(ratings, self.data_, columns=self.columns, empty=True, like=self.ratings_)
        return table.rows_for(self.ratings_, "ratings")

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "members_")
