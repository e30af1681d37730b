"""What the settings of a rating autoencoder may be."""

from typing import Any

from codeword.data_kinds import Interactions, Ratings
from codeword.settings import TRAINING, Setting, either, instance_of, integer, number, one_of, optional


def _are_names(value: Any) -> bool:
    names = value if isinstance(value, list | tuple) else ()
    return 2 <= len(names) <= 4 and all(isinstance(name, str) for name in names) and len(set(names)) == len(names)


SETTINGS = {
    **TRAINING,
    "epochs": integer(1),
    "data": either(
        instance_of(Ratings, such_as="cw.Ratings(1, 5)"), instance_of(Interactions, such_as="cw.Interactions()")
    ),
    "by": one_of("auto", "items", "users", "both"),
    "members": integer(1),
    "units": integer(1),
    "noise": number(0, below=1),
    "columns": optional(
        Setting('the names of the columns of users, items and ratings, such as ("user", "item", "rating")', _are_names)
    ),
    "repeated": one_of("last", "mean", "error"),
}
