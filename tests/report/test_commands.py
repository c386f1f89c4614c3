"""`lowerbound report`, `compare` and `figure`, as a user would call them."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image

from lowerbound.illustrate import FIGURES


def test_report(command, small_run, tmp_path):
    answer = command("report", small_run.directory, "-o", tmp_path / "page.html")
    assert answer.code == 0, answer.error
    assert answer.out == f"Report: {tmp_path / 'page.html'}\n"
    assert (tmp_path / "page.html").read_text("utf-8").startswith("<!doctype html>")


def test_compare_prints_what_differs_and_writes_a_page(command, small_run, table_run, tmp_path):
    answer = command("compare", small_run.directory, table_run.directory, "-o", tmp_path / "c.html")
    assert answer.code == 0, answer.error
    assert re.search(r"figures +small +table", answer.out)
    assert re.search(r"−ELBO \(nats\) +[\d.]+ ± [\d.]+ +-?[\d.]+ ± [\d.]+", answer.out)
    assert "Warning: The runs are of different data" in answer.out
    assert f"Page: {tmp_path / 'c.html'}" in answer.out
    assert (tmp_path / "c.html").exists()


@pytest.mark.parametrize("name", sorted(set(FIGURES) - {"painting"}))
def test_each_figure_can_be_drawn_by_its_name(command, small_run, tmp_path, name):
    answer = command("figure", name, small_run.directory, "-o", tmp_path / "f.png")
    assert answer.code == 0, answer.error
    assert np.asarray(Image.open(tmp_path / "f.png").convert("L")).std() > 10


def test_figures_are_written_as_drawings_too(command, small_run, tmp_path):
    for ending, magic in ((".svg", b"<?xml"), (".pdf", b"%PDF")):
        assert command("figure", "manifold", small_run.directory, "-o", tmp_path / f"m{ending}").code == 0
        assert (tmp_path / f"m{ending}").read_bytes().startswith(magic)


def test_a_manifold_has_any_grid(command, small_run, tmp_path):
    for grid in (3, 30):
        command("figure", "manifold", small_run.directory, "--grid", grid, "-o", tmp_path / f"{grid}.png")
    few, many = (np.asarray(Image.open(tmp_path / f"{grid}.png").convert("L"), int) for grid in (3, 30))
    # Pixels of one image are as wide as the whole allows: there are more and smaller ones of thirty images.
    steps = [(np.abs(np.diff(picture, axis=1)) > 8).sum(1).max() for picture in (few, many)]
    assert steps[1] > 3 * steps[0]


def test_an_interpolation_is_between_the_rows_that_were_asked_for(command, small_run, tmp_path):
    for name, between in (("a", (0, 7)), ("b", (7, 0))):
        answer = command(
            "figure", "interpolation", small_run.directory, "--between", *between, "-o", tmp_path / f"{name}.png"
        )
        assert answer.code == 0, answer.error
    one, other = (np.asarray(Image.open(tmp_path / f"{name}.png").convert("L"), int) for name in "ab")
    wide = one.shape[1] // 13
    ends = (one[: wide // 2, :wide], other[: wide // 2, -wide:])
    assert np.abs(np.sort(ends[0], axis=None) - np.sort(ends[1], axis=None)).mean() < 1


def test_a_figure_goes_to_the_run_where_no_place_is_given(command, small_run):
    answer = command("figure", "latent-space", small_run.directory)
    assert str(small_run.figures / "latent_space.png") in answer.out


def test_every_mistake_is_one_sentence_and_exit_code_2(command, small_run, table_run, tmp_path):
    run, table = small_run.directory, table_run.directory
    mistakes = {
        ("figure", "manifol", run): "Unknown figure 'manifol': did you mean manifold",
        ("figure", "painting", run): "this is none: draw samples",
        ("figure", "manifold", table): "A manifold is a sheet of images",
        ("figure", "samples", run, "--grid", 3): "--grid is for the figure manifold, not for samples",
        ("figure", "manifold", run, "--between", 0, 1): "--between is for the figure interpolation",
        ("figure", "interpolation", run, "--between", 0, 300): "two rows from 0 to 299, not 0 and 300",
        ("figure", "manifold", run, "-o", tmp_path / "m.jpg"): r"must end in \.png or \.svg or \.pdf",
        ("figure", "manifold", run, "--grid", 0): "Invalid value for '--grid'",
        ("report", tmp_path): "has no run.toml",
        ("report", run, "-o", tmp_path / "page.txt"): r"must end in \.html",
        ("report", run, "-o", tmp_path / "no" / "page.html"): "No such file or directory",
        ("compare", run): "at least two runs",
        ("compare", run, run): "one was given twice",
        ("compare", run, table, "-o", tmp_path / "page.txt"): r"must end in \.html",
    }
    for words, message in mistakes.items():
        answer = command(*words)
        assert answer.code == 2, (words, answer)
        assert re.search(message, answer.error), (words, answer.error)
        assert answer.error.count("\n") == 1
