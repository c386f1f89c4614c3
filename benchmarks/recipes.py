"""Every recipe that is a likelihood model, trained on MNIST for the same time, in one table.

    LOWERBOUND_DATA=… python benchmarks/recipes.py --minutes 10 --particles 5000

Dynamic binarisation; the training data are 59,000 images, the validation data (which choose the weights) 1,000, the
test data 10,000 that were binarised once. A recipe whose run and evaluation are there already is not trained again, so
that an interrupted race continues. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import os
from datetime import date
from pathlib import Path

import torch

from lowerbound.config import Config
from lowerbound.evaluation import Evaluation
from lowerbound.experiment import evaluate_run, fit_run, resume_run
from lowerbound.files import write_text
from lowerbound.recipes import find_recipe
from lowerbound.run import Run

LIKELIHOOD_MODELS = (
    "vae",
    "iwae",
    "miwae",
    "piwae",
    "ciwae",
    "vamp",
    "gaussian-mixture-vae",
    "iaf-vae",
    "linear-flow-vae",
    "hyperspherical-vae",
)


def trained(recipe: str, directory: Path, minutes: float, seed: int) -> Run:
    """The finished run, begun or continued where it has to be."""
    if not (directory / "run.toml").exists():
        settings = {"training.max_minutes": minutes, "evaluation.examples": 100, "seed": seed}
        return fit_run("mnist", Config.load(recipe, settings), directory).run
    if not (directory / "evaluation.json").exists():
        return resume_run(directory).run
    return Run.open(directory)


def evaluated(run: Run, particles: int) -> Evaluation:
    """The figures of all test images."""
    path = run.directory / f"evaluation-{particles}.json"
    if not path.exists():
        write_text(path, evaluate_run(run, particles=particles).to_json())
    return Evaluation.from_json(path.read_bytes(), str(path))


def row(recipe: str, run: Run, figures: Evaluation) -> str:
    """A line of the table."""
    published = find_recipe(recipe).published.partition(":")[0].removesuffix(" nats") or "–"
    return (
        f"| `{recipe}` | {figures.nll:.2f} ± {figures.nll_error:.2f} | {figures.negative_elbo:.2f} | "
        f"{figures.effective_sample_size:.0f} | {figures.active_units} of {figures.latent_dim} | "
        f"{run.metrics()[-1]['epoch']} | {published} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", default=LIKELIHOOD_MODELS, help="which; all if left out")
    parser.add_argument("--minutes", type=float, default=10.0, help="of training, each")
    parser.add_argument("--particles", type=int, default=5000, help="importance samples for each image, K")
    parser.add_argument("--seed", type=int, default=0, help="of everything random")
    parser.add_argument("--out", type=Path, default=Path("runs/recipes"), help="where the runs go")
    options = parser.parse_args()

    rows = []
    for recipe in options.recipes:
        run = trained(recipe, options.out / recipe, options.minutes, options.seed)
        figures = evaluated(run, options.particles)
        rows.append((figures.nll, row(recipe, run, figures)))
    table = [
        f"`python benchmarks/recipes.py --minutes {options.minutes:g} --particles {options.particles} "
        f"--seed {options.seed}` on {os.cpu_count()} cores, PyTorch {torch.__version__.partition('+')[0]}, "
        f"{date.today():%Y-%m-%d}:\n",
        f"| recipe | NLL, K = {options.particles:,} | −ELBO | effective sample size | active units | epochs | "
        "the paper's NLL |",
        "|---|---|---|---|---|---|---|",
        *(line for _, line in sorted(rows)),
    ]
    print("\n".join(table))


if __name__ == "__main__":
    main()
