"""Who rated what -> lists of what people will choose next, beside the most popular items.

    python examples/recommender.py                          generated ratings, a few seconds
    CODEWORD_DATA=/folder python examples/recommender.py    MovieLens 100K from the folder, half a minute

Prints lists, reasons and similar items, and writes a picture: how many liked test items lists of each length hold.
"""

import argparse
import os

import numpy as np
from pictures import save_recall

import codeword as cw

LENGTHS = (1, 5, 10, 20, 50, 100)
NAMES = {
    "ranking": 'by="ranking": who took what',
    "popularity": 'by="popularity": the same for everyone',
    "rating": 'by="rating": predicted stars',
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=14, help="passes over the ratings, for the predicted stars")
    parser.add_argument("--picture", default="recommenders.png")
    arguments = parser.parse_args()

    # 1. Data: a tenth of the ratings is kept for the test.
    if os.environ.get("CODEWORD_DATA"):
        parts = cw.datasets.load_movielens_100k(fold=1)
        ratings = tuple(np.concatenate(both) for both in zip(*parts, strict=True))
    else:
        ratings, _ = cw.datasets.planted_ratings(selection=2)
    train, test = cw.split_ratings(ratings)

    # 2. Train. What recommends by default is chosen by held-out ratings.
    rec = cw.RatingAutoencoder(data=cw.Ratings(1, 5), epochs=arguments.epochs, verbose=0).fit(train)
    print(f"recommends by {rec.recommends_by_}")

    # 3. A list, and why.
    user = rec.users_[0]
    items, _ = rec.recommend(user, k=3)
    for item in items[0].tolist():
        because, _ = rec.explain(user, item, k=3)
        print(f"user {user}: item {item}, because of {', '.join(map(str, because))}")
    similar, cosines = rec.similar_items(items[0, :1], k=3)
    print(
        f"like item {items[0, 0]}: " + ", ".join(f"{i} ({c:.2f})" for i, c in zip(similar[0], cosines[0], strict=True))
    )

    # 4. How many of the liked test items lists hold.
    recalls = {name: [rec.evaluate(test, k=k, by=by)[f"recall@{k}"] for k in LENGTHS] for by, name in NAMES.items()}
    for name, values in recalls.items():
        print(f"{name}: " + ", ".join(f"{value:.3f} of {k}" for k, value in zip(LENGTHS, values, strict=True)))
    save_recall(arguments.picture, LENGTHS, recalls, title="Liked test items in the lists")
    print(f"picture: {arguments.picture}")

    # 5. Ratings of somebody new, and what follows from them, without training.
    rec.partial_fit(([10**6] * 3, rec.items_[:3], [5.0, 5.0, 1.0]))
    print(f"user {10**6}, who has just come: items {rec.recommend(10**6, k=3)[0][0].tolist()}")


if __name__ == "__main__":
    main()
