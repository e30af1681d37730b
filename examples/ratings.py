"""Ratings in which most is missing -> predictions, recommendations, and people never seen before.

    python examples/ratings.py                                    generated ratings of a known truth, a few seconds
    CODEWORD_DATA=/folder python examples/ratings.py              MovieLens 100K from the folder, a few seconds

Prints what is predicted how well and writes a picture: the error by how many ratings a user has.
"""

import argparse
import os

import numpy as np
from pictures import save_error_by_count

import codeword as cw


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=14, help="passes over the ratings")
    parser.add_argument("--picture", default="ratings.png")
    arguments = parser.parse_args()

    # 1. Data: three columns. What is not there is not rated; no zeros are filled in.
    if os.environ.get("CODEWORD_DATA"):
        train, test = cw.datasets.load_movielens_100k(fold=1)
    else:
        ratings, truth = cw.datasets.planted_ratings(seed=0)
        train, test = cw.split_ratings(ratings, seed=0)
        noise = np.sqrt(np.mean((np.clip(truth, 1, 5) - ratings.ratings) ** 2))
        print(f"generated ratings: whoever knew the truth would be off by {noise:.4f}, for the noise in them")

    # 2. Train. Ratings are held out within the rows, to stop by; validating on the inputs would measure copying.
    rec = cw.RatingAutoencoder(data=cw.Ratings(1, 5), epochs=arguments.epochs, verbose=2).fit(train)

    # 3. How good? Beside the biases alone: the mean, and what user and item add to it.
    figures = rec.evaluate(test)
    print(f"\ntest RMSE {figures['rmse']:.4f}; of the biases alone {figures['rmse_biases']:.4f}")
    print(f"pairs of which user and item were both known: {figures['known']:.1%}")

    # 4. Recommend what they have not rated.
    items, scores = rec.recommend(rec.users_[:3], k=5)
    for user, best, stars in zip(rec.users_[:3], items, scores, strict=True):
        print(f"user {user}: " + ", ".join(f"{item} ({star:.1f})" for item, star in zip(best, stars, strict=True)))

    # 5. Somebody new, who rated three items: no training, one small solve.
    newcomer = (["Ada"] * 3, rec.items_[:3], [5.0, 1.0, 4.0])
    items, scores = rec.recommend_new(newcomer, k=3)
    best = zip(items[0], scores[0], strict=True)
    print("Ada, never seen before: " + ", ".join(f"{item} ({star:.1f})" for item, star in best))

    rec.save("ratings.codeword")
    predicted = cw.load("ratings.codeword").predict(test.users, test.items)
    assert (predicted == rec.predict(test.users, test.items)).all()

    users, counts = np.unique(train.users, return_counts=True)
    there = np.isin(test.users, users)
    errors = {
        "biases alone": rec.predict_biases(test.users, test.items)[there] - test.ratings[there],
        "autoencoder": predicted[there] - test.ratings[there],
    }
    known = counts[np.searchsorted(users, test.users[there])]
    save_error_by_count(
        arguments.picture, known, errors, title="Error of the predictions by how many ratings a user has"
    )
    print(f"picture: {arguments.picture}")


if __name__ == "__main__":
    main()
