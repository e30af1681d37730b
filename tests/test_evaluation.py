"""Baselines and pictures."""

import builtins

import numpy as np
import pytest
from pictures import save_error_by_count, save_search

import codeword as cw
from codeword.evaluation.level_baselines import most_frequent_level, pca_rounded, uint8_steps
from codeword.evaluation.pictures import save_image_rows


def test_most_frequent_level_is_the_mode_of_each_cell():
    train = np.array([[0, 2], [0, 1], [1, 1]]) / 4
    np.testing.assert_array_equal(most_frequent_level(train, 2), [[0, 0.25], [0, 0.25]])


def test_uint8_steps_are_at_most_half_a_step_off_and_clip():
    train = np.array([[0.0, 5.0], [1.0, 5.0]])
    rounded = uint8_steps(np.array([[0.5, 5.0], [2.0, 5.0], [0.1234, 5.0]]), train)
    np.testing.assert_allclose(rounded, [[128 / 255, 5], [1, 5], [31 / 255, 5]], rtol=1e-6)


def test_rounded_pca_restores_data_of_its_rank():
    random = np.random.default_rng(0)
    on_off = random.integers(0, 2, size=(300, 2))
    x = np.repeat(on_off, 6, axis=1).astype(float)
    kind = cw.Levels([0, 1])
    np.testing.assert_array_equal(pca_rounded(x[:200], x[200:], kind, 2), x[200:])
    assert (pca_rounded(x[:200], x[200:], kind, 1) != x[200:]).any()


def test_a_picture_is_written_and_marks_wrong_cells(tmp_path):
    pytest.importorskip("matplotlib")
    from matplotlib.image import imread

    truth = np.zeros((2, 4, 4))
    wrong = truth.copy()
    wrong[0, 1, 1] = 1

    def red_pixels(images):
        save_image_rows(tmp_path / "p.png", {"original": truth, "restored": images})
        pixels = imread(tmp_path / "p.png")[..., :3]
        return ((pixels[..., 0] > 0.7) & (pixels[..., 1] < 0.3)).sum()

    assert red_pixels(wrong) > 20
    assert red_pixels(truth) == 0


def test_without_matplotlib_the_extra_is_named(tmp_path, monkeypatch):
    real = builtins.__import__

    def refuse(name, *arguments, **keywords):
        if name.startswith("matplotlib"):
            raise ImportError("No module named 'matplotlib'")
        return real(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(cw.errors.MissingExtraError, match=r"codeword\[plots\]"):
        save_image_rows(tmp_path / "p.png", {"a": np.zeros((1, 2, 2))})


def test_a_picture_of_errors_is_written_for_any_counts(tmp_path):
    pytest.importorskip("matplotlib")
    from matplotlib.image import imread

    random = np.random.default_rng(0)
    for number, counts in enumerate((random.integers(1, 300, 100), np.zeros(3), np.arange(2))):
        path = tmp_path / f"{number}.png"
        save_error_by_count(path, counts, {"a": random.normal(size=len(counts)), "b": np.zeros(len(counts))})
        pixels = imread(path)[..., :3]
        assert (pixels.reshape(-1, 3).std(axis=1) > 0.1).sum() > 100  # colored lines


@pytest.mark.parametrize(("num_queries", "k"), [(1, 1), (3, 4)])
@pytest.mark.slow
def test_a_picture_of_a_search_marks_what_is_wrong_and_shows_every_bit(tmp_path, num_queries, k):
    pytest.importorskip("matplotlib")
    from matplotlib.image import imread

    random = np.random.default_rng(0)
    queries, found = random.random((num_queries, 8, 8)), random.random((num_queries, k, 8, 8))

    def picture(right, ones):
        distances = np.full((num_queries, k), 8)
        save_search(tmp_path / "p.png", queries, found, right, distances, ones, title="found")
        return imread(tmp_path / "p.png")[..., :3]

    def red(pixels):
        return ((pixels[..., 0] > 0.7) & (pixels[..., 1] < 0.3) & (pixels[..., 2] < 0.3)).sum()

    def blue(pixels):
        return ((pixels[..., 2] > 0.6) & (pixels[..., 0] < 0.3)).sum()

    right = np.ones((num_queries, k), bool)
    balanced = picture(right, np.full(16, 0.5))
    assert red(balanced) == 0
    assert red(picture(~right, np.full(16, 0.5))) > 3 * num_queries * k
    assert blue(picture(right, np.zeros(16))) == 0
    assert 1.8 < blue(picture(right, np.ones(16))) / blue(balanced) < 2.2  # the bars are twice as high
