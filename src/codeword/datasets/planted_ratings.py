"""Generated ratings of a known truth, with nothing to download."""

import numpy as np
from numpy.typing import NDArray

from codeword.datasets.rating_columns import RatingColumns

NOISE = 0.7  # standard deviation of a rating around the truth, in stars


def planted_ratings(
    num_users: int = 600,
    num_items: int = 400,
    num_ratings: int = 30_000,
    *,
    rank: int = 4,
    selection: float = 0.0,
    seed: int = 0,
) -> tuple[RatingColumns, NDArray[np.float32]]:
    """Generate ratings in whole stars from 1 to 5 around a truth of low rank.

    The truth of a pair is 3.4, plus a bias of the user, plus a bias of the item, plus the product of their `rank`
    tastes. A rating is the rounded sum of the truth and noise of standard deviation 0.7. A few active users and popular
    items have most of the ratings.

    Args:
        num_users: Number of users; some get no rating.
        num_items: Number of items; some get no rating.
        num_ratings: Number of ratings, of distinct pairs in random order; at most half of all pairs.
        rank: Number of tastes.
        selection: How strongly users choose what is to their taste. With 0 the tastes have no part in who rates what.
        seed: Seed of all random numbers.

    Returns:
        The ratings, and the truth of each: float32 `(num_ratings,)`, not limited to 1 to 5.
    """
    random = np.random.default_rng(seed)
    users, items = random.normal(size=(num_users, rank)), random.normal(size=(num_items, rank))
    user_bias, item_bias = 0.4 * random.normal(size=num_users), 0.5 * random.normal(size=num_items)
    active = np.cumsum(random.lognormal(0, 1, num_users))
    popular = np.cumsum(random.lognormal(0, 1.3, num_items))
    pairs: NDArray[np.int64] = np.empty(0, np.int64)
    while len(pairs) < num_ratings:  # each pair at most once
        some = num_ratings - len(pairs) + num_ratings // 8
        user = np.searchsorted(active, random.random(some) * active[-1]).clip(max=num_users - 1)
        item = np.searchsorted(popular, random.random(some) * popular[-1]).clip(max=num_items - 1)
        if selection:
            taste = np.einsum("ij,ij->i", users[user], items[item]) / np.sqrt(rank)
            chosen = random.random(some) < 1 / (1 + np.exp(-selection * (taste - 1)))
            user, item = user[chosen], item[chosen]
        pairs = np.unique(np.concatenate([pairs, user * num_items + item]))
    user, item = np.divmod(random.permutation(pairs)[:num_ratings], num_items)
    truth = np.empty(num_ratings, np.float32)
    for start in range(0, num_ratings, 2**20):
        part = slice(start, start + 2**20)
        taste = np.einsum("ij,ij->i", users[user[part]], items[item[part]]) / np.sqrt(rank)
        truth[part] = 3.4 + user_bias[user[part]] + item_bias[item[part]] + 0.7 * taste
    noisy = truth + np.float32(NOISE) * random.standard_normal(num_ratings, np.float32)
    return RatingColumns(user, item, np.clip(np.round(noisy), 1, 5)), truth
