"""Runs side by side, in the terminal and on a page."""

from __future__ import annotations

import shutil

import pytest

from conftest import SMALL
from lowerbound.config import Config
from lowerbound.errors import UserError
from lowerbound.experiment import evaluate_run, fit_run, subject_of
from lowerbound.illustrate import FIGURES
from lowerbound.report import compare, write_comparison
from lowerbound.run import Run
from report.pages import Page, opened


@pytest.fixture(scope="module")
def other_run(tmp_path_factory, digits_file):
    """The same data with another objective and more latent variables."""
    settings = {**SMALL, "training.epochs": 3, "model.latent_dim": 3, "objective.beta": 4.0}
    return fit_run(digits_file, Config.load("vae", settings), tmp_path_factory.mktemp("runs") / "<b>other").run


def rows(table):
    return {row.name: row.values for row in table}


def test_only_settings_that_differ_are_listed(small_run, other_run):
    assert rows(compare([small_run, other_run]).settings) == {
        "model.latent_dim": ("2", "3"),
        "training.epochs": ("15", "3"),
        "objective.beta": ("–", "4.0"),
    }


def test_figures_are_those_of_the_evaluations(small_run, other_run):
    figures = rows(compare([small_run, other_run]).figures)
    for run, *shown in zip((small_run, other_run), figures["−ELBO (nats)"], figures["active units"], strict=True):
        found = run.evaluation()
        bound = f"{found.negative_elbo:.2f} ± {found.negative_elbo_error:.2f}"
        assert shown == [bound, f"{found.active_units} of {found.latent_dim}"]
    assert figures["epochs"] == ("15", "3")


def test_figures_of_the_same_data_can_be_compared(small_run, other_run):
    assert compare([small_run, other_run]).caveats == ()


def test_what_cannot_be_compared_is_said(small_run, table_run, other_run, tmp_path):
    caveats = " ".join(compare([small_run, table_run]).caveats)
    assert "different data" in caveats
    assert "in different ways" in caveats
    shutil.copytree(other_run.directory, tmp_path / "other")
    copied = Run.open(tmp_path / "other")
    evaluate_run(copied, particles=40)
    (caveat,) = compare([small_run, copied]).caveats
    assert "different K" in caveat
    copied.save_evaluation(None)
    assert rows(compare([small_run, copied]).figures)["NLL (nats)"][1] == "–"
    assert "Not every run has an evaluation" in compare([small_run, copied]).caveats[0]


def test_runs_have_the_shortest_names_that_differ(small_run, tmp_path):
    for parent in ("a", "b"):
        shutil.copytree(small_run.directory, tmp_path / parent / "run")
    runs = [Run.open(tmp_path / parent / "run") for parent in ("a", "b")]
    assert compare(runs).names == ("a/run", "b/run")
    assert compare([runs[0], small_run]).names == ("run", "small")


def test_one_run_is_no_comparison(small_run):
    with pytest.raises(UserError, match="at least two runs"):
        compare([small_run])
    with pytest.raises(UserError, match="one was given twice"):
        compare([small_run, Run.open(small_run.directory)])


def test_the_page_stands_alone_and_has_every_picture_of_every_run(small_run, other_run, tmp_path):
    path = write_comparison([subject_of(run) for run in (small_run, other_run)], tmp_path / "page.html")
    page = Page(path.read_text("utf-8"))
    page.check_alone()
    page.check_readable()
    assert path.stat().st_size < 3_000_000
    # None has a painting, one has no manifold, and the curves lie over each other in one.
    assert len(page.all("img")) == 1 + 2 * (len(FIGURES) - 2) - 1
    for image in page.all("img"):
        opened(image["src"])
    assert "<b>other: this picture does not suit the run." in page.text
    assert not page.all("b")
