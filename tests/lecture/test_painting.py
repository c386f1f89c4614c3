import numpy as np

from lowerbound import run
from lowerbound.config import Config
from lowerbound.experiment import fit_run
from lowerbound.lecture.painting import MNIST, PAINTING, SLIDE
from lowerbound.lecture.workshop import Workshop


def test_draw_paints_beside_the_conventional_model_and_every_step_changes_the_canvas(workshop):
    result = workshop[PAINTING]
    assert result.at_once.shape == (6, 1, 8, 8)
    assert result.painted.canvases.shape == (6, 5, 1, 8, 8)
    steps = np.abs(np.diff(result.painted.canvases, axis=1)).mean((0, 2, 3, 4))
    assert (steps > 0).all()


def test_the_figure_of_a_run_that_came_with_the_library_is_there_where_the_run_is():
    assert (MNIST in SLIDE.exhibits) == ("draw-mnist" in run.pretrained())


def test_that_figure_shows_a_run_of_that_name(tmp_path, monkeypatch, digits_file):
    small = {"training.epochs": 1, "model.latent_dim": 2, "evaluation.particles": 2, "evaluation.examples": 2}
    small |= {"model.family.steps": 3, "model.family.first_steps": "none", "model.family.units": 8}
    fit_run(digits_file, Config.load("draw-small", small), tmp_path / "draw-mnist")
    monkeypatch.setattr(run, "PRETRAINED", tmp_path)
    painted = Workshop()[MNIST]
    assert painted.canvases.shape == (6, 3, 1, 8, 8)
    assert len(MNIST.draw(painted).axes[0].get_xticks()) == 3
