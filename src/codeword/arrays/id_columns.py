"""The columns of a table of ids: who, what, how much or how often, and when; found by their names (no Keras)."""

import math
import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from codeword.errors import DataError

MAX_SHOWN = 8  # column names in a message
PLACES = re.compile(r"column\d+")  # the name of a column in a text table without a header

TYPE = re.compile(r":(token|float)(_seq)?$")  # as RecBole writes it behind a name

# Compared in lower case without accents and anything but letters and digits: "User-ID", "user_id" and "userId" are one
# name. The first of several that a table has is taken. Of users and items other endings may follow, or "id" come first.
ENDINGS = ("id", "ids", "uid", "uuid", "guid", "key", "hash", "idx", "index", "no", "nr", "num", "number")
USERS = """
    user userid users uid usr usrid username userkey useridx reviewer reviewerid customer customerid cust custid
    client clientid member memberid person personid people account accountid profile profileid visitor visitorid
    session sessionid listener listenerid reader readerid viewer viewerid buyer buyerid subscriber subscriberid
    who student learner player guest shopper
    usuario usuarios cliente clientes utilisateur benutzer nutzer kunde utente gebruiker
"""
ITEMS = """
    item itemid items iid itemkey itemidx movie movieid film filmid product productid asin parentasin sku
    stockcode book bookid isbn song songid track trackid artist artistid album albumid joke jokeid game gameid app
    appid article articleid news newsid recipe recipeid restaurant restaurantid business businessid place placeid
    venue venueid location locationid poi poiid show showid video videoid course courseid post postid page pageid
    beer beerid hotel hotelid object objectid content contentid goods goodsid offer offerid document documentid
    pid mid title what imdb tmdb shop store seller merchant supplier vendor
    pelicula producto articulo libro cancion curso filme produto livro produit livre chanson artikel produkt buch lied
    prodotto canzone
"""
RATINGS = """
    rating ratings score scores stars star overall rate ratingvalue ratingscore userrating itemrating movierating
    bookrating productrating userscore reviewscore reviewrating reviewoverall overallrating preference pref vote
    votes grade mark verdict
    puntuacion calificacion valoracion nota note bewertung wertung voto avaliacao valutazione
"""
COUNTS = """
    count counts plays play playcount listens listencount clicks clickcount views viewcount visits quantity qty
    weight weights frequency freq purchases interactions number num like liked likes click clicked isclick purchased
    bought watched transactions numtx orders shipments shipment
    cantidad quantite anzahl menge quantita quantidade
"""
PLACES_AND_TIMES = """
    x y z lat lon lng latitude longitude row col column red green blue r g b year month day hour minute age width height
"""  # whose pairs may be different, too
MELTED = ("variable", "value")  # what pandas and Polars call columns and cells of a table that they melt into rows
TIMES = """
    timestamp time times datetime date ts tstamp unixtime unixtimestamp unixreviewtime ratingtimestamp ratingtime
    ratingdate reviewtime reviewtimestamp reviewdate eventtime eventtimestamp createdat created updatedat
    invoicedate orderdate transactiondate purchasedate when fecha datum zeitstempel
"""
WITHOUT_RATINGS = " If there are none, use Interactions() (on the command line: --data interactions)."
DATES = {"DATE", "TIME", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"}
IDS = {"BIGINT", "HUGEINT", "INTEGER", "VARCHAR"}
NUMBERS = {"BIGINT", "HUGEINT", "INTEGER", "DOUBLE", "FLOAT"}
LEAST_TIME = 1e8  # as seconds since 1970, this is 1973


class IdColumns(NamedTuple):
    """Names of the columns of a table of ids; None where the table has none.

    Attributes:
        user: Ids of users.
        item: Ids of items.
        value: Ratings, or counts of interactions.
        time: When.
    """

    user: str
    item: str
    value: str | None = None
    time: str | None = None

    @property
    def present(self) -> tuple[str, ...]:
        """The columns that the table has, in the order user, item, value, time."""
        return tuple(name for name in self if name is not None)

    def described(self, others: Sequence[str], value: str = "rating") -> str:
        """Return one line that says which column is what, and which are not read."""
        parts = zip(("user", "item", value, "time"), self, strict=True)
        line = ", ".join(f"{part} = {name}" for part, name in parts if name is not None)
        unread = [name for name in others if name not in self]
        return f"{line}; not read: {_listed(unread)}" if unread else line


def named_columns(names: Sequence[str], *, counted: bool | None) -> IdColumns | None:
    """Return the columns of users, items, ratings or counts, and times by their names; None without users or items.

    Args:
        names: Names of all columns.
        counted: Whether the values are counts of interactions, which need no column, and not ratings. None: ratings if
            there are any, else counts.

    Example:
        >>> named_columns(["userId", "movieId", "rating", "timestamp"], counted=False)
        IdColumns(user='userId', item='movieId', value='rating', time='timestamp')
    """
    is_melted = all(_first_of(name, names) for name in MELTED)
    user = _first_of(USERS, names) or (_first_of("index id level0", names) if is_melted else None)
    item = _first_of(ITEMS, names) or _first_of("variable level1", names)
    if user is None or item is None:
        return None
    rating, count = _first_of(f"{RATINGS} value 0", names), _first_of(COUNTS, names)
    value = count if counted else rating if counted is False or rating is not None else count
    return IdColumns(user, item, value, _time_in(names, [user, item, *([value] if value else [])]))


def item_column(names: Sequence[str]) -> str | None:
    """Return the first column that is named like items."""
    return _first_of(ITEMS, names)


def is_id_table(names: Sequence[str]) -> bool:
    """Return whether a table is one of ids by the names of its columns.

    It has users and items and, beside times and counts, nothing else unless there are ratings.
    """
    found = named_columns(names, counted=None)
    return found is not None and (has_ratings(names) or set(names) <= set(found))


def is_like_ids(types: Sequence[str], first: Sequence[str]) -> bool:
    """Return whether a table without names is probably one of ids: text and a number, or two ids, a number and a time.

    The arguments are those of `placed_columns`.
    """
    try:
        found = placed_columns(types, first, counted=None, table="")
    except DataError:
        return False
    if found.value is None or not set(types[:2]) <= IDS:
        return False
    return "VARCHAR" in types[:2] or found.time is not None


def are_places_or_times(names: Sequence[str]) -> bool:
    """Return whether columns are named like places in space, colors or times."""
    return bool(_all_of(PLACES_AND_TIMES, names))


def has_ratings(names: Sequence[str]) -> bool:
    """Return whether a column is named like ratings."""
    return _first_of(RATINGS, names) is not None


def is_count(name: str | None) -> bool:
    """Return whether a column is named like counts."""
    return name is not None and _first_of(COUNTS, [name]) is not None


def chosen_columns(
    names: Sequence[str],
    columns: Sequence[str] | None,
    *,
    counted: bool | None,
    table: str,
    hint: str = "",
) -> IdColumns:
    """Return the columns that the user named, or those that are found by their names.

    Args:
        names: Names of all columns.
        columns: Two to four names, of users, items, values and times; None: found by their names.
        counted: As for `named_columns`.
        table: What to call the table in messages.
        hint: What else to say if a column is not found.

    Raises:
        DataError: If a column is missing.
    """
    if columns is None:
        found = named_columns(names, counted=counted)
        if found is None or (counted is False and found.value is None):
            roles = {"users": USERS, "items": ITEMS, **({"ratings": RATINGS} if counted is False else {})}
            missing = " or ".join(role for role, known in roles.items() if _first_of(known, names) is None)
            raise DataError(
                f"{table} must have columns of users, items{' and ratings' if counted is False else ''}: got "
                f"{_listed(names)}, none of which is named like {missing}{_wide(names)}. {naming(names, counted)}"
                f"{'' if found is None else WITHOUT_RATINGS}{hint}"
            )
        return found
    absent = [name for name in columns if name not in names]
    if absent:
        raise DataError(
            f"{table} must have the columns {', '.join(columns)}: got {_listed(names)}, without {', '.join(absent)}"
            f"{_wide(names)}. {naming(names, counted)}{hint}"
        )
    if counted is False and len(columns) < 3:
        raise DataError(f"{table} must have ratings: got only the columns {', '.join(columns)}. Name a third one.")
    user, item, *others = columns
    value, time = (*others, None, None)[:2]
    return IdColumns(user, item, value, _time_in(names, columns) if time is None else time)


def placed_columns(types: Sequence[str], first: Sequence[str], *, counted: bool | None, table: str) -> IdColumns:
    """Return the columns of a table without names: users, items, and then values and times in either order.

    Args:
        types: DuckDB's types of the columns.
        first: The texts of the first row.
        counted: As for `named_columns`.
        table: What to call the table in messages.

    Raises:
        DataError: If there are other columns.
    """
    names = [f"column{place}" for place in range(len(types))]
    times = [place for place in range(2, len(types)) if types[place] in DATES or _number(first[place]) >= LEAST_TIME]
    values = [place for place in range(2, len(types)) if place not in times and types[place] in NUMBERS]
    if not 2 <= len(types) <= 4 or (counted is False and not values):
        what = "users and items" if counted else "users, items and ratings"
        raise DataError(
            f"{table} must have columns of {what}, and perhaps times: got {len(types)} columns without names, the "
            f"first line {', '.join(first)[:60]!r}{_wide(names)}. {naming(names[: 2 if counted else 3], counted)}"
        )
    value, time = (names[found[0]] if found else None for found in (values, times))
    return IdColumns(names[0], names[1], value, time)


def naming(names: Sequence[str], counted: bool | None) -> str:
    """Return how to name the columns of users, items and ratings."""
    what = "users and items" if counted else "users, items and ratings"
    order = list(names) if len(names) == (2 if counted else 3) else ["USER", "ITEM", *([] if counted else ["RATING"])]
    python = "(" + ", ".join(f'"{name}"' for name in order) + ")"
    return f"Name those of {what}, in this order: columns={python}, on the command line --columns {','.join(order)}."


def _time_in(names: Sequence[str], taken: Sequence[str]) -> str | None:
    return next((name for name in _all_of(TIMES, names) if name not in taken), None)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _all_of(known: str, names: Sequence[str]) -> list[str]:
    exact: dict[str, str] = {}
    shorter: dict[str, str] = {}
    for name in names:
        word = _plain(name)
        exact.setdefault(word, name)
        if known in (USERS, ITEMS):
            for stem in [word.removesuffix(ending) for ending in ENDINGS] + [word.removeprefix("id")]:
                shorter.setdefault(stem, name)
    words = known.split()
    found = [exact[word] for word in words if word in exact] + [shorter[word] for word in words if word in shorter]
    return list(dict.fromkeys(found))


def _plain(name: object) -> str:
    """Return a name in lower case, letters and digits alone, without accents."""
    apart = unicodedata.normalize("NFKD", TYPE.sub("", str(name).lower()))
    return "".join(letter for letter in apart if letter.isalnum())


def _first_of(known: str, names: Sequence[str]) -> str | None:
    return next(iter(_all_of(known, names)), None)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(str, names[:MAX_SHOWN])) + (", …" if len(names) > MAX_SHOWN else "")


def _wide(names: Sequence[str]) -> str:
    return f", in {len(names)} columns. If each is an item, melt them into rows first" if len(names) > MAX_SHOWN else ""
