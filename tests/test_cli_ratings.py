"""The command line for ratings, as a user runs it: fit a recommender, recommend, tell mistakes."""

import gzip
import json
import re

import duckdb
import numpy as np
import pytest
from click.testing import CliRunner

import codeword as cw
from codeword.cli import main
from codeword.files.id_tables import id_columns_in
from codeword.files.output_table import write_columns
from codeword.files.tables import read_columns

NUM_USERS, NUM_ITEMS = 40, 30
FIT = ["--data", "ratings:1-5", "--epochs", 1, "--json"]


def run(*words, exit_code=0):
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == exit_code, result.output
    return result


def write(path, table):
    columns = {name: np.asarray(values) for name, values in table.items()}
    write_columns(path, columns)


def some_ratings():
    """Every user rates about half of the items; user 100 + i item j as (i + j) % 5 + 1. User 139 rates all but two."""
    rows, columns = np.meshgrid(np.arange(NUM_USERS), np.arange(NUM_ITEMS), indexing="ij")
    keep = np.random.default_rng(0).random(rows.shape) < 0.5
    keep[-1] = np.arange(NUM_ITEMS) > 1
    keep[-2] = True
    return {"user": 100 + rows[keep], "item": columns[keep], "rating": (rows + columns)[keep] % 5 + 1}


def as_texts(table):
    return {
        "name": np.array([f"ann{user}" for user in table["user"]], object),
        "film": np.array([f"film, {item:02d}" for item in table["item"]], object),
        "stars": table["rating"] / 2,
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli-ratings")
    table = some_ratings()
    write(folder / "ratings.csv", table)
    write(folder / "texts.parquet", as_texts(table))
    write(folder / "new.csv", {"user": [8, 8, 3], "item": [4, 5, 4], "rating": [5, 1, 3]})
    run("fit", folder / "ratings.csv", "-o", folder / "films.codeword", *FIT)
    words = ["--data", "ratings:.5-5/.5", "--columns", "name, film,stars", "--by", "both", "--members", 2]
    run("fit", folder / "texts.parquet", "-o", folder / "texts.codeword", *words, "--epochs", 1, "--json")
    images = cw.datasets.four_level_digits()[:20]
    np.save(folder / "images.npy", images)
    cw.Autoencoder(code=cw.Bits(8), hidden=(8,), epochs=1, verbose=0).fit(images).save(folder / "rows.codeword")
    return folder


def recommended(folder, *words, model="films.codeword", by="rating"):
    result = json.loads(run("recommend", folder / model, *words, "--by", by, "--json").stdout)
    assert result["by"] == by
    return result["recommendations"]


@pytest.mark.slow
def test_fit_tells_what_it_made(folder):
    result = json.loads(run("fit", folder / "ratings.csv", "-o", folder / "again.codeword", *FIT).output)
    model = cw.load(folder / "films.codeword")
    assert result["fingerprint"] == model.fingerprint_
    assert result["ratings"] == len(some_ratings()["user"])
    assert (result["users"], result["items"], result["scale"], result["step"]) == (40, 30, [1, 5], None)
    assert (result["networks"], result["epochs"]) == (1, 1)
    assert (result["measured_on"], result["rmse"]) == ("held-out ratings", model.validation_rmse_)
    shown = run("fit", folder / "ratings.csv", "-o", folder / "again.codeword", *FIT[:-1], "--quiet").output
    assert "held-out ratings" in shown


def test_fit_takes_its_options_to_the_estimator(folder):
    words = ["--by", "users", "--members", 2, "--patience", 7, "--seed", 5, "--epochs", 2]
    output = folder / "options.codeword"
    run("fit", folder / "ratings.csv", "-o", output, "--data", "ratings:.5-5/.5", *words, "--quiet")
    model = cw.load(output)
    assert (model.by, model.members, model.patience, model.seed, model.epochs) == ("users", 2, 7, 5, 2)
    assert model.data == model.data_ == cw.Ratings(0.5, 5, 0.5)
    assert cw.load(folder / "texts.codeword").columns == ("name", "film", "stars")


def test_fit_measures_on_a_validation_file_if_given(folder):
    table = some_ratings()
    rated = set(zip(table["user"].tolist(), table["item"].tolist(), strict=True))
    free = [next(item for item in range(NUM_ITEMS) if (user, item) not in rated) for user in (100, 101)]
    pairs = {"user": [100, 101, 7], "item": [*free, 2], "rating": [3, 3, 3]}
    write(folder / "held-out.csv", pairs)
    words = ["fit", folder / "ratings.csv", "-o", folder / "v.codeword", "--validation", folder / "held-out.csv", *FIT]
    result = json.loads(run(*words).output)
    predicted = cw.load(folder / "v.codeword").predict(pairs["user"], pairs["item"])
    assert result["measured_on"] == "validation"
    assert result["rmse"] == pytest.approx(np.sqrt(np.mean((predicted - 3) ** 2)))
    assert result["known"] == pytest.approx(2 / 3)


def test_fit_says_when_nothing_was_held_out(folder):
    write(folder / "few.csv", {"user": [1, 1, 2], "item": [1, 2, 1], "rating": [1, 5, 3]})
    result = json.loads(run("fit", folder / "few.csv", "-o", folder / "few.codeword", *FIT).output)
    assert (result["measured_on"], result["rmse"]) == (None, None)
    words = ["fit", folder / "few.csv", "-o", folder / "few.codeword", *FIT[:-1], "--quiet"]
    assert re.search(r"measured on +none", run(*words).output)


def test_recommendations_are_those_of_the_model(folder):
    items, ratings = cw.load(folder / "films.codeword").recommend([103, 100], 4, by="rating")
    first, second = recommended(folder, "--user", 103, "--user", 100, "-k", 4)
    assert set(first) == {"user", "known", "items", "ratings"}
    assert (first["user"], first["known"], first["items"]) == (103, True, items[0].tolist())
    assert (second["user"], second["known"], second["items"]) == (100, True, items[1].tolist())
    np.testing.assert_allclose([first["ratings"], second["ratings"]], ratings, rtol=1e-6)
    table = some_ratings()
    assert not set(first["items"]) & set(table["item"][table["user"] == 103].tolist())


def test_an_unknown_user_gets_the_items_of_the_highest_biases_and_is_marked(folder):
    (unknown,) = recommended(folder, "--user", 7, "-k", 3)
    model = cw.load(folder / "films.codeword")
    assert (unknown["user"], unknown["known"]) == (7, False)
    assert unknown["items"] == np.argsort(-model.biases_.items, kind="stable")[:3].tolist()
    shown = run("recommend", folder / "films.codeword", "--user", 7, "--user", 100).output
    assert "User 7 has no ratings in the model" in shown
    assert "User 100" not in shown


def test_fewer_items_than_asked_for_are_not_filled_up(folder):
    two, none = recommended(folder, "--user", 139, "--user", 138, "-k", 1000)
    assert (sorted(two["items"]), len(two["ratings"])) == ([0, 1], 2)
    assert (none["items"], none["ratings"], none["known"]) == ([], [], True)
    shown = run("recommend", folder / "films.codeword", "--user", 138, "--by", "rating").output
    assert shown.splitlines() == [
        "user  item  rating",
        "",
        "User 138 has had every item, so nothing is left to recommend.",
    ]


def test_the_printed_table(folder):
    (found,) = recommended(folder, "--user", 100, "-k", 2)
    lines = run("recommend", folder / "films.codeword", "--user", 100, "-k", 2, "--by", "rating").output.splitlines()
    assert lines[0] == "user  item  rating"
    pairs = zip(found["items"], found["ratings"], strict=True)
    assert [line.split() for line in lines[1:]] == [["100", str(item), f"{rating:.3f}"] for item, rating in pairs]
    assert len({len(line) for line in lines}) == 1


def test_new_people_come_in_ascending_order_of_their_ids(folder):
    third, eighth = recommended(folder, "--new", folder / "new.csv", "-k", 3)
    assert [(who["user"], who["known"]) for who in (third, eighth)] == [(3, True), (8, True)]
    items, ratings = cw.load(folder / "films.codeword").recommend_new(folder / "new.csv", 3, by="rating")
    np.testing.assert_array_equal([third["items"], eighth["items"]], items)
    np.testing.assert_allclose([third["ratings"], eighth["ratings"]], ratings, rtol=1e-6)
    assert 4 not in third["items"]


def test_a_new_person_who_rated_nothing_that_the_model_knows_is_marked(folder):
    table = {"user": ["zoe", "zoe", "bob"], "item": [4, 999, 999], "rating": [5, 1, 1]}
    write(folder / "strangers.csv", table)
    bob, zoe = recommended(folder, "--new", folder / "strangers.csv")
    assert [(who["user"], who["known"]) for who in (bob, zoe)] == [("bob", False), ("zoe", True)]


def test_no_new_people_at_all_get_an_empty_table(folder):
    nobody = {"user": np.zeros(0, int), "item": np.zeros(0, int), "rating": np.zeros(0)}
    write(folder / "nobody.parquet", nobody)
    assert recommended(folder, "--new", folder / "nobody.parquet") == []
    assert run("recommend", folder / "films.codeword", "--new", folder / "nobody.parquet", "--by", "rating").stdout == (
        "user  item  rating\n"
    )


def test_ids_that_are_text(folder):
    known, unknown = recommended(folder, "--user", "ann100", "--user", "42", "-k", 2, model="texts.codeword")
    assert [(who["user"], who["known"]) for who in (known, unknown)] == [("ann100", True), ("42", False)]
    assert all(item.startswith("film, ") for item in known["items"])
    new = ["--new", folder / "texts.parquet", "-k", 2]  # the columns' names are the model's own
    assert recommended(folder, *new, model="texts.codeword")[0]["user"] == "ann100"


def test_columns_of_new_ratings_can_be_named(folder):
    rename = {"item": "what", "user": "who", "rating": "how"}
    table = read_columns(folder / "new.csv")
    write(folder / "renamed.parquet", {rename[name]: table[name] for name in rename})
    named = recommended(folder, "--new", folder / "renamed.parquet", "--columns", "who,what,how")
    assert named == recommended(folder, "--new", folder / "new.csv")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("model", ["films", "texts"])
def test_recommendations_as_a_file(folder, suffix, model):
    users = [f"ann{user}" if model == "texts" else user for user in (7, 100, 139)]
    words = [word for user in users for word in ("--user", user)]
    path, by = folder / f"it's {model}.{suffix}", "rating" if model == "films" else "ranking"
    options = ["-k", 5, "--by", by, "-o", path, "--json"]
    told = json.loads(run("recommend", folder / f"{model}.codeword", *words, *options).output)
    assert told == {"users": 3, "unknown_users": users[:1], "rows": 12, "by": by, "written_to": str(path)}
    expected = recommended(folder, *words, "-k", 5, model=f"{model}.codeword", by=by)
    written = read_columns(path)
    name = "rating" if model == "films" else "score"
    assert list(written) == ["user", "item", name]
    assert written["user"].tolist() == [users[0]] * 5 + [users[1]] * 5 + [users[2]] * 2
    assert written["item"].tolist() == [item for who in expected for item in who["items"]]
    np.testing.assert_allclose(written[name], [r for who in expected for r in who[f"{name}s"]], rtol=1e-6)


def test_items_that_may_be_recommended_come_from_files(folder):
    model = cw.load(folder / "films.codeword")
    (folder / "stock.txt").write_text("movieId\n3\n5\n\n7\n999\n")
    (folder / "sold.csv").write_text("title,movieId\na,5\n")
    words = ["--items", folder / "stock.txt", "--exclude", folder / "sold.csv", "--include-seen"]
    (found,) = recommended(folder, "--user", 100, *words)
    assert sorted(found["items"]) == [3, 7]
    expected = model.recommend([100], items=[3, 5, 7], exclude=[5], include_seen=True, by="rating")[0]
    assert found["items"] == expected[0, :2].tolist()
    write(folder / "stock.parquet", {"item": np.array([3, 7])})
    (new,) = recommended(folder, "--user", 100, "--items", folder / "stock.parquet", "--include-seen")
    assert new["items"] == found["items"]
    for first, *_ in [recommended(folder, "--new", folder / "new.csv", "--items", folder / "stock.txt")]:
        assert set(first["items"]) <= {3, 5, 7}
    (folder / "films.txt").write_text('item\n"film, 03"\nfilm, 05\n')
    (texts,) = recommended(folder, "--user", "bob", "--items", folder / "films.txt", model="texts.codeword")
    assert sorted(texts["items"]) == ["film, 03", "film, 05"]


def test_similar_items_are_those_of_the_model(folder):
    words = ["recommend", folder / "films.codeword", "--similar-to", 4, "-s", 999, "-k", 3]
    four, unknown = json.loads(run(*words, "--json").stdout)["similar_items"]
    items, similarities = cw.load(folder / "films.codeword").similar_items([4], 3)
    assert (four["item"], four["known"], four["items"]) == (4, True, items[0].tolist())
    np.testing.assert_allclose(four["similarities"], similarities[0], rtol=1e-6)
    assert (unknown["item"], unknown["known"], unknown["items"]) == (999, False, [])
    lines = run(*words).output.splitlines()
    assert lines[0].split() == ["item", "similar", "similarity"]
    assert lines[-1] == "The model knows no item that is similar to 999."
    told = json.loads(run(*words, "-o", folder / "similar.csv", "--json").output)
    assert told == {"items": 2, "unknown_items": [999], "rows": 3, "written_to": str(folder / "similar.csv")}
    assert read_columns(folder / "similar.csv")["similar"].tolist() == items[0].tolist()


def test_recommendations_come_with_the_items_that_argue_for_them(folder):
    model = cw.load(folder / "films.codeword")
    words = ["recommend", folder / "films.codeword", "--user", 100, "--user", 7, "-k", 2, "--explain"]
    found = json.loads(run(*words, "--json").stdout)
    assert found["by"] == "ranking"
    known, unknown = found["recommendations"]
    for item, because in zip(known["items"], known["because"], strict=True):
        reasons, shares = model.explain(100, item, 3)
        assert because == reasons[shares > 0].tolist()
    assert unknown["because"] == [[], []]
    line = run(*words).output.splitlines()[1]
    assert line.split(maxsplit=3)[3:] == [", ".join(map(str, known["because"][0]))]
    run(*words, "-o", folder / "why.csv")
    assert read_columns(folder / "why.csv")["because"].tolist()[0] == ", ".join(map(str, known["because"][0]))


def test_a_file_of_no_recommendations_keeps_its_types(folder):
    run("recommend", folder / "films.codeword", "--user", 138, "--by", "rating", "-o", folder / "none.parquet")
    with duckdb.connect() as connection:
        described = connection.execute(f"DESCRIBE SELECT * FROM '{folder / 'none.parquet'}'").fetchall()
    assert [(name, kind) for name, kind, *_ in described] == [
        ("user", "BIGINT"),
        ("item", "BIGINT"),
        ("rating", "FLOAT"),
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--data", "ratings:1-5", "--code", "bits:64"],
            "--code needs other data than ratings: got --data rat",
        ),
        (["--data", "ratings:1-5", "--edges", "floor"], "--edges needs other data than ratings: got"),
        (["--data", "ratings:1-5", "--hidden", "8"], "--hidden needs other data than ratings: got"),
        (
            ["--data", "real", "--by", "users"],
            "--by needs --data ratings:1-5, another scale, or int",
        ),
        (
            ["--members", 2, "--code", "bits:8"],
            "or interactions: got no --data.",
        ),
        (["--columns", "a,b,c", "--hidden", "8"], "--columns needs --data ratings:1-5"),
        (["--data", "ratings:1-5", "--columns", "a,b,c,d,e"], "got 'a,b,c,d,e'"),
        (["--data", "ratings:1-5", "--columns", "a,a,b"], "got 'a,a,b'"),
        (["--data", "ratings:1-5", "--members", 0], "0 is not in the range"),
        (["--data", "ratings:1-5", "--by", "films"], "'films' is not one of"),
        (["--data", "ratings:5-1"], "got Ratings(5, 1)"),
        (["--data", "ratings:1-5/3"], "got 3"),
    ],
)
def test_options_that_do_not_go_together(folder, words, message):
    shown = run("fit", folder / "ratings.csv", "-o", folder / "never.codeword", *words, exit_code=2).output
    assert message in shown
    assert not (folder / "never.codeword").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Pass one of --user"),
        (["--user", 100, "--new", "new.csv"], "Pass one of --user"),
        (["--user", 100, "--all"], "Pass one of --user"),
        (["--user", 100, "--similar-to", 4], "Pass one of --user"),
        (["--similar-to", 4, "--explain"], "--similar-to takes only -k, --output and --json"),
        (["--new", "new.csv", "--explain"], "--explain needs --by ranking, and --user or --all"),
        (["--user", 100, "--explain", "--by", "rating"], "--explain needs --by ranking"),
        (["--user", 100, "--by", "stars"], "'stars' is not one of"),
        (["--user", 100, "--columns", "a,b,c"], "got no --new"),
        (["--user", 100, "-k", 0], "0 is not in the range"),
        (["--new", "new.csv", "--columns", "a"], "got 'a'"),
    ],
)
def test_recommend_called_wrongly(folder, monkeypatch, words, message):
    monkeypatch.chdir(folder)
    assert message in run("recommend", "films.codeword", *words, exit_code=2).output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["recommend", "films.codeword", "--user", "ann"], "got 'ann'"),
        (["recommend", "films.codeword", "--user", "1.0"], "got '1.0'"),
        (["recommend", "films.codeword", "--similar-to", "ann"], "`--similar-to` must have integers"),
        (["recommend", "films.codeword", "--user", "100", "--items", "nowhere.txt"], "no such file"),
        (
            ["recommend", "films.codeword", "--user", "100", "--items", "images.npy"],
            "must be a table, .csv or .parquet",
        ),
        (["recommend", "films.codeword", "--user", "100", "--items", "texts.parquet"], "must have integers"),
        (["recommend", "films.codeword", "--user", "9223372036854775808"], "got '9223372036854775808'"),
        (["recommend", "films.codeword", "--new", "texts.parquet"], "got name, film, stars"),
        (["recommend", "films.codeword", "--new", "nowhere.csv"], "no such file"),
        (["recommend", "films.codeword", "--new", "images.npy"], "must be a table, .csv or .parquet: got a .npy file"),
        (["recommend", "films.codeword", "--new", "outside.csv"], "got 1 to 6, 1 of 2 outside"),
        (["recommend", "films.codeword", "--user", "100", "-o", "never.npy"], "must end in .csv or .parquet"),
        (["recommend", "films.codeword", "--user", "100", "-o", "no/never.csv"], "Nothing was written"),
        (["recommend", "nowhere.codeword", "--user", "100"], "no such file"),
        (["recommend", "rows.codeword", "--user", "100"], "got Autoencoder. Train one"),
        (["encode", "films.codeword", "images.npy", "never.npy"], "got RatingAutoencoder. Use it"),
        (["decode", "films.codeword", "images.npy", "never.npy"], "Use it with `codeword recommend`"),
        (["fit", "outside.csv", "-o", "never.codeword", *FIT], "got 1 to 6, 1 of 2 outside"),
        (["fit", "texts.parquet", "-o", "never.codeword", *FIT], "got name, film, stars"),
        (["fit", "ratings.csv", "-o", "never.codeword", *FIT, "--columns", "user,film,rating"], "without film"),
        (["fit", "images.npy", "-o", "never.codeword", *FIT], "must be a table, .csv or .parquet: got a .npy file"),
        (
            ["fit", "ratings.csv", "-o", "never.codeword", *FIT, "--validation", "outside.csv"],
            "got 1 to 6, 1 of 2 outside",
        ),
        (
            ["fit", "ratings.csv", "-o", "never.codeword", *FIT, "--validation", "texts.parquet"],
            "texts.parquet must have columns of users, items and ratings: got name, film, stars,",
        ),
        (["fit", "ratings.csv", "-o", "no/never.codeword", *FIT], "Nothing was written"),
    ],
)
def test_bad_data_is_told_in_words(folder, monkeypatch, words, message):
    monkeypatch.chdir(folder)
    write(folder / "outside.csv", {"user": [1, 2], "item": [1, 2], "rating": [1, 6]})
    result = run(*words, exit_code=1)
    assert message in result.output
    assert result.output.startswith("Error: ")
    assert not list(folder.glob("never*"))


def test_nothing_is_trained_for_a_place_that_cannot_be_written(folder, monkeypatch):
    trained = []
    monkeypatch.setattr(cw.RatingAutoencoder, "fit", lambda *_, **__: trained.append(1))
    words = ["fit", folder / "ratings.csv", "-o", folder / "missing" / "never.codeword", *FIT]
    assert "Nothing was written" in run(*words, exit_code=1).output
    assert not trained


def test_a_file_without_a_header_and_half_stars(folder):
    table = some_ratings()
    lines = [f"{user},{item},{rating / 2}" for user, item, rating in zip(*table.values(), strict=True)]
    (folder / "bare.csv").write_text("\n".join(lines))
    words = ["fit", folder / "bare.csv", "-o", folder / "bare.codeword", "--data", "ratings:.5-2.5/.5"]
    result = json.loads(run(*words, "--epochs", 1, "--json").output)
    assert (result["users"], result["scale"], result["step"]) == (40, [0.5, 2.5], 0.5)


def test_ids_of_a_file_are_read_as_the_model_has_them(folder):
    """A file of one catalogue may happen to hold only ids that look like numbers."""
    users, items = np.repeat(np.arange(20), 6), np.tile(np.arange(6), 20)
    names = np.array(["tt1", "007", "7", "8", "9", "10"], object)[items]
    write(folder / "mixed.csv", {"user": users, "item": names, "rating": (users + items) % 5 + 1})
    run("fit", folder / "mixed.csv", "-o", folder / "mixed.codeword", *FIT)
    (folder / "new-mixed.csv").write_text("user,item,rating\n1,7,5\n1,8,1\n")
    found = json.loads(run("recommend", folder / "mixed.codeword", "--new", folder / "new-mixed.csv", "--json").stdout)
    assert found["recommendations"][0]["known"]
    assert set(found["recommendations"][0]["items"]) == {"tt1", "007", "9", "10"}


@pytest.mark.slow
def test_a_table_of_ratings_without_data_is_pointed_to_the_recommender(folder):
    result = run(
        "fit", folder / "ratings.csv", "-o", folder / "table.codeword", "--epochs", 1, "--hidden", 4, "--quiet"
    )
    assert "--data ratings:1-5" in result.stderr


# Tables as people have them


def likes():
    """Forty people like about a quarter of thirty songs: of their own half of the catalog."""
    rows, columns = np.meshgrid(np.arange(40), np.arange(30), indexing="ij")
    keep = (np.random.default_rng(1).random(rows.shape) < 0.5) & (rows % 2 == columns % 2)
    return {"listener": 100 + rows[keep], "song": columns[keep]}


@pytest.fixture(scope="module")
def songs(folder):
    table = likes()
    write(folder / "likes.csv", table)
    words = ["fit", folder / "likes.csv", "-o", folder / "songs.codeword", "--json"]
    result = run(*words)
    assert "is a table of ids: training a recommender with --data interactions." in result.stderr
    made = json.loads(result.stdout)
    assert made["columns"] == "user = listener, item = song"
    assert (made["interactions"], made["users"], made["items"]) == (len(table["song"]), 40, 30)
    assert "rmse" not in made
    return folder


def test_likes_are_ranked_and_scores_are_no_ratings(songs):
    (found,) = recommended(songs, "--user", 101, "-k", 3, model="songs.codeword", by="ranking")
    assert set(found) == {"user", "known", "items", "scores"}
    assert all(item % 2 for item in found["items"])
    shown = run("recommend", songs / "songs.codeword", "--user", 101, "-k", 3, "--by", "ranking").output
    assert shown.splitlines()[0].split() == ["user", "item", "score"]
    (again,) = recommended(songs, "--user", 101, "--include-seen", "-k", 30, model="songs.codeword", by="ranking")
    assert len(again["items"]) == 30
    run("recommend", songs / "songs.codeword", "--all", "-k", 2, "-o", songs / "all.parquet")
    assert read_columns(songs / "all.parquet")["user"].tolist() == np.repeat(np.arange(100, 140), 2).tolist()
    result = run("recommend", songs / "songs.codeword", "--user", 101, "--by", "rating", exit_code=1)
    assert "`by` must be" in result.output


def test_a_model_is_measured_on_other_data(songs):
    table = likes()
    had = set(zip(table["listener"].tolist(), table["song"].tolist(), strict=True))
    new = [
        (100 + row, column) for row in range(40) for column in range(row % 2, 30, 2) if (100 + row, column) not in had
    ]
    (songs / "later.tsv").write_text("who\twhat\n" + "".join(f"{row}\t{column}\n" for row, column in new))
    result = run("evaluate", songs / "songs.codeword", songs / "later.tsv", "-k", 5, "--json")
    assert result.stderr == "Columns: user = who, item = what.\n"
    found = json.loads(result.stdout)
    model = cw.load(songs / "songs.codeword")
    columns = tuple(np.array(new).T)
    assert found == {"model": str(songs / "songs.codeword"), **model.evaluate(columns, k=5)}
    assert found["ndcg@5"] > 0.3
    words = ["evaluate", songs / "films.codeword", songs / "ratings.csv"]
    figures = json.loads(run(*words, "-k", 0, "--json").stdout)
    assert set(figures) == {"model", "rmse", "mae", "rmse_biases", "known", "in_training"}
    assert figures["in_training"] == 1  # it is the table of its training
    words = ["evaluate", songs / "rows.codeword", songs / "images.npy", "--json"]
    assert set(json.loads(run(*words).output)) == {"model", "cells_exact", "rows_exact"}


def text_of(table, delimiter, more=""):
    return "".join(delimiter.join(map(str, row)) + more + "\n" for row in zip(*table.values(), strict=True))


FORMS = {
    "ratings.dat": lambda table: text_of(table, "::", "::978300760").encode(),
    "u.data": lambda table: text_of(table, "\t", "\t881250949").encode(),
    "dates.csv": lambda table: text_of(table, ",", ",2005-04-02 23:53:47").encode(),
    "named.tsv.gz": lambda table: gzip.compress(b"userId\tmovieId\trating\n" + text_of(table, "\t").encode()),
    "shop.TXT": lambda table: b'"User-ID";"ISBN";"Book-Rating"\r\n' + text_of(table, ";").encode(),
    "turned.csv": lambda table: (
        b"stars,film,viewer\n" + text_of({name: table[name] for name in ("rating", "item", "user")}, ",").encode()
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_a_table_makes_the_same_model(folder, name):
    (folder / name).write_bytes(FORMS[name](some_ratings()))
    made = json.loads(run("fit", folder / name, "-o", folder / "form.codeword", *FIT).output)
    assert made["fingerprint"] == cw.load(folder / "films.codeword").fingerprint_
    assert made["columns"].startswith("user = ")
    (head,) = json.loads(run("advise", folder / name, "--json").output)["heads"]
    assert head["command"].endswith(f"--data ratings:1-5 --output {name.partition('.')[0]}.codeword")


@pytest.mark.parametrize(
    ("order", "columns", "told"),
    [
        (
            ["user", "item", "rating"],
            None,
            "bare.csv is a table of ids: training a recommender with --data ratings:1-5",
        ),
        (["user", "item"], None, "a table of ids: training a recommender with --data interactions"),
        (["rating", "user", "item"], ("column1", "column2", "column0"), "user = column1, item = column2, rating = col"),
        (["user", "rating", "item"], ("column0", "column2", "column1"), "(user = column0, item = column2, rating ="),
    ],
)
def test_ids_without_names_are_seen_as_ids(folder, order, columns, told):
    table = some_ratings()
    path = folder / "bare.csv"
    path.write_text(text_of({name: table[name] for name in order}, ","))
    result = run("fit", path, "-o", folder / "bare.codeword", "--epochs", 1, "--json")
    assert told in result.stderr
    assert "For an autoencoder of rows, pass another kind, such as --data real." in result.stderr
    assert cw.load(folder / "bare.codeword").columns == columns
    if "rating" in order:
        assert json.loads(result.stdout)["scale"] == [1, 5]
    (head,) = json.loads(run("advise", path, "--json").stdout)["heads"]
    assert ("--columns" in head["command"]) == (columns is not None)


def test_ids_under_names_that_nobody_knows_are_seen_as_ids(folder):
    path, table = folder / "named.csv", some_ratings()
    path.write_text("用户ID,电影ID,评分\n" + text_of(table, ","), encoding="utf-8")
    result = run("fit", path, "-o", folder / "named.codeword", "--epochs", 1, "--json")
    assert "is a table of ids (user = 用户ID, item = 电影ID, rating = 评分)" in result.stderr
    assert cw.load(folder / "named.codeword").columns == ("用户ID", "电影ID", "评分")
    path.write_text("x,y,label\n" + text_of(table, ","))
    assert id_columns_in(path) is None  # points in a plane
    numbered = {"row": np.arange(len(table["user"])), **table}
    path.write_text(text_of(numbered, ","))
    assert "rating = column3" in run("fit", path, "-o", folder / "named.codeword", "--epochs", 1, "--json").stderr


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("when,event,user_id,item_id\n1,view,3,4\n", "--data interactions reads user = user_id, item = item_id"),
        ("user,10,20,30,40\n1,5,,2,1\n2,,3,4,1\n", "melt it into rows first"),
        ("user,item,rating\n1,2,NaN\n1,3,4\n", "must be finite: got 1 NaN or infinite, the first in row 0"),
        ("user,item,rating\n1,2,4 stars\n1,3,5 stars\n", "'4 stars'. Write numbers alone, without units."),
        ("user,item,rating\n1,2,80%\n1,3,100%\n", "'80%'. Write numbers alone, without units."),
        ("user,item,rating\n1,2,4/5\n1,3,5/5\n", "'4/5'. Write numbers alone, without units."),
        ("user,item,rating\n1,2,4\nNA,3,5\n", "got 1 missing, the first in row 1, counted from 0 ('NA')"),
    ],
)
def test_what_a_table_needs_is_told(folder, lines, told):
    path = folder / "odd.csv"
    path.write_text(lines)
    assert told in run("fit", path, "-o", folder / "never.codeword", exit_code=1).output
    path.rename(folder / "odd.jsonl")
    shown = run("fit", folder / "odd.jsonl", "-o", folder / "never.codeword", exit_code=1).output
    assert "pandas.read_json(path, lines=True)" in shown


@pytest.mark.slow
def test_ids_may_still_be_rows_of_an_autoencoder(folder):
    (folder / "bare.csv").write_text(text_of(some_ratings(), ","))
    run("fit", folder / "bare.csv", "-o", folder / "numbers.codeword", "--data", "real", "--hidden", 8, "--epochs", 1)
    assert isinstance(cw.load(folder / "numbers.codeword"), cw.Autoencoder)


@pytest.mark.filterwarnings("default::UserWarning")
def test_numbers_for_not_rated_and_repeated_pairs(folder):
    table = some_ratings()
    gaps = {name: np.append(values, more) for (name, values), more in zip(table.items(), (100, 29, 99), strict=True)}
    write(folder / "gaps.csv", {name: np.append(values, values[-1:]) for name, values in gaps.items()})
    words = ["fit", folder / "gaps.csv", "-o", folder / "gaps.codeword"]
    told = "may hold 99 for not rated. Choose --data ratings:1-5,missing=99 or --data ratings:1-99."
    assert told in run(*words, exit_code=1).output
    shown = run("advise", folder / "gaps.csv").output
    assert "If 99 means not rated" in shown
    assert "--data ratings:1-5,missing=99 --output" in shown
    assert "ratings:1-5,missing=99" in run(*words, *FIT, exit_code=1).output
    made = json.loads(run(*words, "--data", "ratings:1-5,missing=99", "--epochs", 1, "--json").output)
    assert made["ratings"] == len(table["user"])

    pairs = {name: np.append(values, values[:1]) for name, values in table.items()}
    pairs["rating"][-1] = pairs["rating"][0] % 5 + 1
    write(folder / "pairs.csv", pairs)
    words = ["fit", folder / "pairs.csv", "-o", folder / "pairs.codeword", *FIT]
    for options, rule in (([], "the last in the table counts"), (["--repeated", "mean"], "their mean counts")):
        result = run(*words, *options)
        assert f"Of each pair, {rule}" in (result.stderr)
        assert result.stderr.startswith("Warning: ")
        assert json.loads(result.stdout)["ratings"] == len(table["user"])
    assert "must hold one rating per user and item" in run(*words, "--repeated", "error", exit_code=1).output
    assert "1 rows are of pairs that occur before" in " ".join(run("advise", folder / "pairs.csv").output.split())
