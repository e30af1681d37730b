"""The recommender autoencoder: predict missing ratings from the known ones."""

import sys
import warnings
from collections.abc import Sequence
from dataclasses import fields
from functools import cached_property, partial
from typing import Any, Self

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from tqdm.auto import tqdm

from codeword.data_kinds import Interactions, Ratings
from codeword.errors import ParameterError
from codeword.recommenders.biases import to_network_scale
from codeword.recommenders.ensemble_member import INPUT_LENGTH, with_offset
from codeword.recommenders.held_out import split
from codeword.recommenders.ranking import fit_ranking, learn_ranking, to_unit_scale
from codeword.recommenders.rating_table import RatingTable, as_rating_table
from codeword.recommenders.recommender import Recommender
from codeword.recommenders.scores import RatingScores
from codeword.recommenders.settings import SETTINGS
from codeword.recommenders.training import Recipe, no_ensemble, train_ensemble
from codeword.recommenders.updating import merged, updated_biases, updated_gaussian, updated_member
from codeword.settings import check_settings, integer


class RatingAutoencoder(Recommender):
    """Predict ratings and recommend items, from sparse ratings in which everything else is missing.

    A prediction is a mean, plus what the user and the item add to it (biases), plus what an autoencoder with one hidden
    layer adds from all ratings of that item, or of that user. Beside it stands a Gaussian model with few factors, in
    closed form, which is better where most users rated most items. Held-out ratings tell how much the network and the
    Gaussian model count: less, or not at all, where they do not help. Missing ratings are not learned from: a training
    step computes only the rated outputs, and does not touch the own weights of a column (a user or an item) without a
    rating in its batch. So time follows the ratings; memory follows the ratings and the columns times `units`.

    Args:
        data: The scale of the ratings, such as `Ratings(0.5, 5, step=0.5)` for half stars; or `Interactions()` for
            likes, clicks, purchases and counts, which are ranked and not predicted. Then no network is trained.
        by: What the network reads as a row: "items" (more accurate on both MovieLens sets), "users" (smaller and
            faster where users outnumber items), or "both": networks of either kind, weighted by their errors on
            held-out ratings. "auto" is "users" where users outnumber items and there are fewer than 150 items or fewer
            than 20 ratings a user, and else "items".
        members: Number of networks of each kind, with different random weights. Their mean is more accurate than one.
        units: Units of the hidden layer.
        noise: Share of a row's ratings dropped from the input at random in every step, from 0 to below 1.
        weight_decay: Cost of the square of a column's weights in the batches in which it has a rating, in squared
            residuals on a scale from 0 to 4.
        epochs: Maximum number of epochs.
        batch_size: Ratings per step. Default: one thirtieth of them, at most 100,000.
        learning_rate: Highest learning rate of Adam; it falls to 0 along a half cosine.
        validation_fraction: Share of the ratings to hold out, drawn evenly, to weigh the networks and to choose how to
            rank items. With 0 no rating is held out.
        patience: Epochs without a smaller error on the held-out ratings after which training stops, in the second half
            of the epochs; the best weights are kept. With None, the default, training takes all epochs and keeps the
            last weights, which are more accurate on sparse ratings.
        columns: Names of the columns of users, items and ratings in a table, and of times if `repeated` needs them;
            interactions need the first two. Default: found by common names or, in a text file without names, by
            position: column0, column1, and so on.
        repeated: What counts of several ratings of one pair, with a warning: "last", the latest if there are times,
            else the last in the table; or "mean". "error" refuses them. The counts of interactions are added.
        seed: Seed of all random numbers. The same seed on the same machine gives the same predictions on every backend.
        verbose: True or 1 shows a progress bar, 2 prints one line per epoch, False or 0 shows nothing.

    Attributes:
        data_: The scale, a `Ratings`, or `Interactions()`.
        users_: Ids of the users in ascending order, int64 or text, `(num_users,)`.
        items_: Ids of the items in ascending order, int64 or text, `(num_items,)`.
        num_ratings_: Number of ratings.
        ratings_: The training ratings: `matrix`, CSR of shape (users, items), and the ids `users` and `items`.
        biases_: Mean and biases, on a scale from 0 to 4.
        members_: The trained networks.
        member_weights_: The weight of each network in a prediction; together 1, or less where the biases alone are
            nearly as good.
        gaussian_: A Gaussian model of the ratings beside the networks, with its `weight`; None where held-out ratings
            show that it does not help, or nothing was held out.
        ranking_: The `ItemRanking` behind `recommend`, None in a model of an older version.
        recommends_by_: How `recommend` orders items by default, "ranking", "rating" or "popularity": what ranks the
            held-out ratings in the upper quarter of the scale best.
        history_: Of the first network: "mse" per epoch and, with held-out ratings, "val_rmse". Not saved to files.
        model_: The first network as a Keras model, built at first use from a copy of the weights.
        encoder_: Its encoder.
        decoder_: Its decoder.
        rows_: The rows that `model_` takes, CSR: residuals + 2.5 on a scale from 0 to 4, nothing stored where nothing
            was rated; items or users, as `members_[0].by` says.
        validation_rmse_: RMSE to expect on new ratings, from the held-out ones: each is predicted with weights that the
            others gave, and how hard they are is compared with others by the biases, unless they are
            `validation_data`. NaN without held-out ratings.

    Example:
        >>> rows, columns = np.meshgrid(np.arange(30), np.arange(20), indexing="ij")
        >>> keep = np.random.default_rng(0).random(600) < 0.5
        >>> ratings = rows.ravel()[keep], columns.ravel()[keep], (1.0 + (rows + columns).ravel() % 5)[keep]
        >>> rec = RatingAutoencoder(data=Ratings(1, 5), units=8, epochs=2, verbose=False).fit(ratings)
        >>> rec.predict([0, 1], [3, 4]).shape, rec.recommend([0, 1], k=3)[0].shape
        ((2,), (2, 3))

    References:
        Sedhain et al., "AutoRec", 2015. Differs: residuals of biases that also show who rated, rows of one length,
        noise, and Adam over sparse rows.
    """

    def __init__(
        self,
        *,
        data: Ratings | Interactions = Ratings(1, 5),
        by: str = "auto",
        members: int = 1,
        units: int = 250,
        noise: float = 0.5,
        weight_decay: float = 60.0,
        epochs: int = 14,
        batch_size: int | None = None,
        learning_rate: float = 4e-3,
        validation_fraction: float = 0.05,
        patience: int | None = None,
        columns: Sequence[str] | None = None,
        repeated: str = "last",
        seed: int = 0,
        verbose: bool | int = True,
    ) -> None:
        self.data = data
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
        self.repeated = repeated
        self.seed = seed
        self.verbose = verbose

    def fit(self, ratings: Any, y: Any = None, *, validation_data: Any = None) -> Self:
        """Learn from ratings.

        Args:
            ratings: A scipy.sparse matrix (users, items) whose stored entries, zeros included, are the ratings; or a
                data frame, a text table such as `.csv` or a `.parquet` file, or a tuple of three arrays: users, items
                and ratings. Ids are integers or text.
            y: Ignored; present for scikit-learn.
            validation_data: Ratings of known users and items to hold out instead of a random `validation_fraction`.

        Raises:
            DataError: If a rating is not allowed. Nothing has been trained then.
            DataTypeError: If the ratings have a type that cannot be used. Nothing has been trained then.
            ParameterError: If a setting is not allowed.
            DivergedError: If the loss becomes NaN or infinite.

        Warns:
            UserWarning: If all ratings are the same, so that there is nothing to predict.
        """
        check_settings(self, SETTINGS)
        table, training, held_out = self._read(ratings, validation_data)
        self._warn_if_alike(table)
        recipe = Recipe(**{setting.name: getattr(self, setting.name) for setting in fields(Recipe)})
        if isinstance(self.data, Ratings):
            drawn_from = table.matrix if validation_data is None else None
            ensemble = train_ensemble(training, held_out, self.data, recipe, drawn_from=drawn_from)
            biases = ensemble.biases.completed(to_network_scale(table.matrix, self.data), training)
            by_rating = partial(RatingScores, training, self.data, *ensemble[:4])
        else:
            ensemble, by_rating = no_ensemble(*table.matrix.shape), None
            biases = ensemble.biases
        shows_bar = self.verbose == 1
        ranking, by = learn_ranking(training, held_out, table.matrix, self.data, by_rating, verbose=shows_bar)
        if by == "popularity":
            self._say(
                "On held-out data the most popular items did best, so `recommend` returns them for everyone. "
                '`recommend(by="ranking")` ranks by who took what.'
            )
        self._become(
            data_=self.data,
            ratings_=table,
            biases_=biases,
            members_=ensemble.members,
            member_weights_=ensemble.weights,
            gaussian_=ensemble.gaussian,
            validation_rmse_=ensemble.validation_rmse,
            ranking_=ranking,
            recommends_by_=by,
        )
        return self

    def partial_fit(self, ratings: Any, y: Any = None) -> Self:
        """Take in new ratings, also of new users and items, without training the networks again.

        A new rating of a pair takes the place of the old one; a new count is added to it. Biases and output weights of
        users and items with new ratings are solved for, and the ranking is learned from all ratings by the recipe that
        `fit` chose. After many new ratings, `fit` again.

        Args:
            ratings: The new ratings, as for `fit`.
            y: Ignored; present for scikit-learn.

        Raises:
            DataError: If a rating is not allowed. The model is unchanged then.
            DataTypeError: If the ratings have a type that cannot be used.
            ParameterError: If an older version fitted the model.
        """
        if not hasattr(self, "ratings_"):
            return self.fit(ratings)
        recipe = self._known_ranking().recipe
        new = as_rating_table(ratings, self.data_, columns=self.columns, repeated=self.repeated, like=self.ratings_)
        new.check_same_ids(self.ratings_, "ratings")
        to = merged(self.ratings_, new, counts=not self.data_.has_ratings)
        members, gaussian, biases = self.members_, self.gaussian_, no_ensemble(*to.table.matrix.shape).biases
        if isinstance(self.data_, Ratings):
            on_scale = to_network_scale(to.table.matrix, self.data_)
            biases = updated_biases(self.biases_, on_scale, to)
            residuals = biases.residuals(on_scale, biases.users)
            members = [updated_member(member, residuals, to) for member in self.members_]
            gaussian = updated_gaussian(gaussian, residuals, to) if gaussian else None
        ranking = fit_ranking(to_unit_scale(to.table.matrix, self.data_), recipe)
        self._become(ratings_=to.table, biases_=biases, members_=members, gaussian_=gaussian, ranking_=ranking)
        return self

    def predict(self, users: Any, items: Any, *, rounded: bool = False, return_known: bool = False) -> Any:
        """Predict the ratings that users would give to items.

        Users and items without a rating in training, and unknown ids, get a prediction from the biases alone: the
        mean, plus the bias of the one that is known.

        Args:
            users: Ids, as many as `items`, or a single one.
            items: Ids, as many as `users`, or a single one.
            rounded: Whether to return the nearest steps of the scale instead of numbers between them.
            return_known: Whether to also return which predictions use more than biases.

        Returns:
            float32 array `(n,)` within the scale. With `return_known` also booleans `(n,)`, true where both user and
            item were rated in training.

        Raises:
            DataError: If there are several users and several items, but not equally many.
            DataTypeError: If ids are numbers where training had text, or the reverse.
        """
        rows, columns = self._with_ratings().ratings_.positions(users, items)
        predicted = self._scores.as_ratings(self._scores.of_pairs(rows, columns), rounded=rounded)
        known = self._scores.rated_users[rows] & self._scores.rated_items[columns]
        return (predicted, known) if return_known else predicted

    def predict_biases(self, users: Any, items: Any) -> NDArray[np.float32]:
        """Predict like `predict`, but from the biases alone: the baseline that the networks must beat."""
        rows, columns = self._with_ratings().ratings_.positions(users, items)
        return self._scores.as_ratings(self._scores.of_biases(rows, columns))

    def predict_new(self, ratings: Any, *, rounded: bool = False) -> NDArray[np.float32]:
        """Predict the ratings of all items for new users from their ratings, without training.

        Args:
            ratings: Ratings of the new users, in any form that `fit` takes. A matrix must have the model's items as
                columns. In a table, ratings of unknown items are ignored, and users are ordered by their ids.
            rounded: Whether to return the nearest steps of the scale.

        Returns:
            float32 array `(num_new_users, num_items)`, columns as in `items_`. Users without a rating of a known item
            get a prediction from the biases alone. For many users, `recommend_new` needs much less memory.
        """
        matrix = self._with_ratings()._ratings_of_new(ratings)
        predicted = np.empty(matrix.shape, np.float32)
        for rows, scores, _ in self._scores.of_new_users(matrix):
            predicted[rows] = self._scores.as_ratings(scores, rounded=rounded)
        return predicted

    def evaluate(
        self, ratings: Any, *, k: int | None = 10, relevant: float | None = None, by: str | None = None
    ) -> dict[str, float]:
        """Compare predictions with ratings, and recommendations with what users rated high.

        Args:
            ratings: Ratings that the model was not trained on, as for `fit`: a table with the same kind of ids, or a
                matrix of the same shape.
            k: Length of the lists of recommendations to judge. None: judge predictions alone.
            relevant: Least rating, or count, of an item that a list should hold. Default: the upper quarter of the
                scale, 4 and 5 of five stars; every interaction.
            by: As for `recommend`.

        Returns:
            "rmse" and "mae" in units of the ratings; "rmse_biases" of the biases alone, for comparison; and "known",
            the share of ratings whose user and item were both rated in training. Not for interactions.

            "in_training", the share of the given pairs that are training ratings, which flatters; 0 in a fair test.

            With `k`, for 10: "recall@10", "ndcg@10" and "map@10", the mean over the users with a relevant item,
            "judged_users" in number, ranked among all items that they had not rated in training;
            "recall@10_popularity" and "ndcg@10_popularity" of the most popular items, for comparison; "coverage@10",
            the share of all items that anyone is recommended; and "popularity@10", the mean share of users who rated a
            recommended item in training. Relevant items that training did not see count as missed. Items with equal
            scores come in random order.
        """
        known_ids = self._fitted().ratings_
        table = as_rating_table(ratings, self.data_, columns=self.columns, repeated=self.repeated, like=known_ids)
        table.check_same_ids(known_ids, "ratings")
        figures = self._evaluate_predictions(table) if self.data_.has_ratings else {}
        figures["in_training"] = table.number_in(known_ids, "ratings") / table.matrix.nnz
        if k is not None:
            integer(1).check("k", k)
            figures |= self._evaluate_lists(table, k, relevant, by)
        return figures

    def _evaluate_predictions(self, table: RatingTable) -> dict[str, float]:
        users, items, given = table.pairs()
        predicted, known = self.predict(users, items, return_known=True)
        biases = self.data_.metrics(given, self.predict_biases(users, items), {})
        return {**self.data_.metrics(given, predicted, {}), "rmse_biases": biases["rmse"], "known": float(known.mean())}

    def score(self, ratings: Any, y: Any = None) -> float:
        """Return the negative root mean squared error or, for interactions, the NDCG of 10 places: more is better.

        Cross-validate on tables: a split of a matrix by rows would leave other users.
        """
        if self._fitted().data_.has_ratings:
            return -self.evaluate(ratings, k=None)["rmse"]
        return self.evaluate(ratings).get("ndcg@10", 0.0)

    def _fitted(self) -> Self:
        check_is_fitted(self)
        return self

    def _with_ratings(self) -> Self:
        """Return the fitted model, or tell why it has no ratings to predict and no network."""
        if not self._fitted().data_.has_ratings:
            raise ParameterError(
                f"`data` must be a scale of ratings, such as cw.Ratings(1, 5), to predict ratings: got {self.data_}, "
                "which has none. Use `recommend`."
            )
        return self

    users_ = property(lambda self: self._fitted().ratings_.users.values)
    items_ = property(lambda self: self._fitted().ratings_.items.values)
    num_ratings_ = property(lambda self: int(self._fitted().ratings_.matrix.nnz))
    history_ = property(lambda self: self._with_ratings().members_[0].history)
    rows_ = property(lambda self: with_offset(self._with_ratings()._scores.rows(self.members_[0].by)))
    model_ = property(lambda self: self._keras_models[0])
    encoder_ = property(lambda self: self._keras_models[1])
    decoder_ = property(lambda self: self._keras_models[2])

    @cached_property
    def _keras_models(self) -> Any:
        from codeword.recommenders.networks import keras_models  # Keras is loaded only when its models are asked for
        from codeword.training.recipe import seeded

        with seeded(int(self._with_ratings().seed)):
            return keras_models(vars(self.members_[0].network), input_length=INPUT_LENGTH)

    def _read(
        self, ratings: Any, validation_data: Any
    ) -> tuple[RatingTable, scipy.sparse.csr_array, scipy.sparse.csr_array]:
        """Return all ratings, those to learn from, and those held out to judge by."""
        reading: dict[str, Any] = {"columns": self.columns, "repeated": self.repeated}
        table = as_rating_table(ratings, self.data, **reading)
        if table.note:
            self._say(f"Columns: {table.note}.")
        if validation_data is None:
            return table, *split(table.matrix, self.validation_fraction, int(self.seed))
        name = "validation_data"
        given = as_rating_table(validation_data, self.data, **reading, name=name, like=table)
        return table, table.matrix, given.held_out_of(table, name)

    def _warn_if_alike(self, table: RatingTable) -> None:
        values = table.matrix.data
        if self.data.has_ratings and len(values) > 1 and (values == values[0]).all():
            warnings.warn(
                f"All {len(values)} ratings are {values[0]:g}, so there is nothing to learn: predictions will be near "
                "that value. `recommend` still ranks items, by what users rated together.",
                UserWarning,
                stacklevel=3,
            )

    def _say(self, line: str) -> None:
        if self.verbose:
            tqdm.write(line, file=sys.stderr)

    def _become(self, **learned: Any) -> None:
        before = dict(vars(self))
        try:
            self.__dict__.update(learned)
            self._prepare()
        except BaseException:  # an interrupt leaves the old model
            self.__dict__ = before
            raise

    def _prepare(self) -> None:
        super()._prepare()
        self._scores = None
        if isinstance(self.data_, Ratings):
            learned = (self.biases_, self.members_, self.member_weights_, self.gaussian_)
            self._scores = RatingScores(self.ratings_.matrix, self.data_, *learned)
        self.__dict__.pop("_keras_models", None)
