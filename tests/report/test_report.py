"""The report of a run, parsed: what is in it, that it stands alone, and that nothing in it was taken for HTML."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

from conftest import SMALL
from lowerbound.config import Config
from lowerbound.errors import UserError
from lowerbound.experiment import fit_run, subject_of
from lowerbound.illustrate import FIGURES, suited
from lowerbound.report import write_report
from lowerbound.run import Run
from report.pages import Page, opened

FIGURES_OF_IMAGES = set(FIGURES) - {"painting"}
NASTY = "<img src=x onerror=alert(1)>"


def read(path):
    return Page(path.read_text("utf-8"))


@pytest.fixture(scope="module")
def nasty_run(tmp_path_factory):
    """A run whose directory, data and columns have names that would do something in a page."""
    place = tmp_path_factory.mktemp("nasty")
    values = np.random.default_rng(0).normal(size=(120, 3))
    file = place / f"{NASTY}.csv"
    rows = "\n".join(",".join(f"{v:.4f}" for v in row) for row in values)
    file.write_text(f'<script>alert(1)</script>,"{NASTY}",$\\frac{{$\n{rows}\n')
    settings = {**SMALL, "training.epochs": 2}
    return fit_run(file, Config.load("vae", settings), place / "<script>alert(2)<" / "script>").run


@pytest.mark.parametrize("fixture", ["small_run", "table_run", "nasty_run"])
def test_a_fit_ends_with_a_report_that_stands_alone(fixture, request):
    run = request.getfixturevalue(fixture)
    page = read(run.path("report.html"))
    page.check_alone()
    page.check_readable()
    assert run.path("report.html").stat().st_size < 3_000_000


@pytest.mark.parametrize(
    ("fixture", "names"), [("small_run", FIGURES_OF_IMAGES), ("table_run", FIGURES_OF_IMAGES - {"manifold"})]
)
def test_every_figure_is_there_and_shows_something(fixture, names, request):
    page = read(request.getfixturevalue(fixture).path("report.html"))
    assert {figure["id"] for figure in page.all("figure")} == names
    images = [opened(image["src"]) for image in page.all("img")]
    assert len(images) == len(names)
    for image in images:
        if isinstance(image, Image.Image):
            assert np.asarray(image.convert("L")).std() > 10
        else:
            assert len(list(image.iter("{http://www.w3.org/2000/svg}path"))) > 10


def test_the_numbers_are_those_of_the_evaluation(small_run):
    found, text = small_run.evaluation(), read(small_run.path("report.html")).text
    for words in (
        f"{found.negative_elbo:.2f} ± {found.negative_elbo_error:.2f} nats",
        f"{found.nll:.2f} ± {found.nll_error:.2f} nats",
        f"{found.effective_sample_size:.1f} of 20",
        f"{found.active_units} of 2",
        found.protocol,
        *found.warnings,
    ):
        assert words in text


def test_it_says_what_was_fitted_to_what_and_how_to_do_it_again(small_run):
    page = read(small_run.path("report.html"))
    weights = sum(parameter.numel() for parameter in small_run.load().model.parameters())
    for words in (
        small_run.source.understood,
        "216 rows to learn from, 24 for validation, 60 for the test",
        f"{weights:,} weights",
        f"15 epochs, {small_run.metrics()[-1]['step']} steps of 50 rows",
        "lowerbound fit",
        small_run.source.fingerprint,
        f"torch {small_run.versions['torch']}",
    ):
        assert words in page.text, words
    links = [a["href"] for a in page.all("a") if not a["href"].startswith("#")]
    assert "https://arxiv.org/abs/1312.6114" in links


def test_names_from_data_and_paths_are_text(nasty_run):
    page = read(nasty_run.path("report.html"))
    assert NASTY in page.text
    assert "<script>alert(2)" in page.text
    assert len(page.all("img")) == len(page.all("figure"))


def test_without_an_evaluation_the_report_says_so(small_run, tmp_path):
    shutil.copytree(small_run.directory, tmp_path / "run")
    (tmp_path / "run" / "evaluation.json").unlink()
    subject = subject_of(Run.open(tmp_path / "run"))
    text = read(write_report(subject, {}, tmp_path / "page.html")).text
    assert "There is no evaluation in this run: lowerbound evaluate makes one." in text
    assert "± is" not in text


def test_a_damaged_evaluation_is_refused(small_run, tmp_path):
    shutil.copytree(small_run.directory, tmp_path / "run")
    path = tmp_path / "run" / "evaluation.json"
    path.write_text(path.read_text().replace('"nll"', '"nil"'))
    with pytest.raises(UserError, match=r"evaluation\.json is damaged"):
        Run.open(tmp_path / "run").evaluation()


def test_the_same_run_gives_the_same_report(small_run, tmp_path):
    """Twice in one process: what is drawn hangs on the run's seed alone, and no picture bears a date."""
    pages = []
    for name in ("a", "b"):
        subject = subject_of(small_run)
        pages.append(write_report(subject, dict(suited(subject)), tmp_path / f"{name}.html").read_bytes())
    assert pages[0] == pages[1]
