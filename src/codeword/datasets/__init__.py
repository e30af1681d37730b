"""Loaders of well-known data sets, which are read from a folder or downloaded; the package contains no data."""

from codeword.datasets.four_level_images import four_level_digits as four_level_digits
from codeword.datasets.four_level_images import four_level_mnist as four_level_mnist
from codeword.datasets.mnist import load_fashion_mnist as load_fashion_mnist
from codeword.datasets.mnist import load_mnist as load_mnist
from codeword.datasets.movielens import load_movielens_1m as load_movielens_1m
from codeword.datasets.movielens import load_movielens_100k as load_movielens_100k
from codeword.datasets.planted_ratings import planted_ratings as planted_ratings
from codeword.datasets.rating_columns import RatingColumns as RatingColumns
