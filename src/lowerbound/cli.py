"""The command line: thin functions over `experiment`, `trained` and `outputs`.

torch is imported only in the commands that need it, so that `lowerbound --help` answers at once.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lowerbound.console import out
from lowerbound.errors import UserError
from lowerbound.outputs import ARRAYS, PICTURES, check_output

if TYPE_CHECKING:
    import numpy as np

    from lowerbound.data import Dataset
    from lowerbound.run import Run
    from lowerbound.trained import Trained

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
RunPath = Annotated[str, typer.Argument(metavar="RUN", help="The directory of a run.", show_default=False)]
DataPath = Annotated[
    str, typer.Argument(metavar="DATA", help="Name of a data set (lowerbound datasets), or a path.", show_default=False)
]
ArraysPath = Annotated[
    Path, typer.Option("--output", "-o", help="Where to: .npz or .parquet, by its ending.", show_default=False)
]
AnyPath = Annotated[
    Path, typer.Option("--output", "-o", help="Where to: .npz, .parquet or .png, by its ending.", show_default=False)
]
Particles = Annotated[int, typer.Option(min=1, max=1_000_000, help="Importance samples for each datum, K.")]
Seed = Annotated[int, typer.Option(min=0, help="Of every draw.")]


def main() -> NoReturn:
    """The entry point: a user's mistake is one sentence and exit code 2."""
    try:
        sys.exit(app(standalone_mode=False) or 0)
    except UserError as error:
        _fail(str(error))
    except typer.Exit as end:
        sys.exit(end.exit_code)
    except typer.Abort:
        sys.exit(130)
    except KeyboardInterrupt:
        out.print("\nInterrupted.")
        sys.exit(130)
    except BrokenPipeError:  # somebody reads only the first lines: `lowerbound recipes | head`
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:
        # What the parser of the command line refuses; anything else is a fault of ours and keeps its traceback.
        if not hasattr(error, "format_message"):
            raise
        _fail(error.format_message())  # pyright: ignore[reportAttributeAccessIssue]


def _fail(message: str) -> NoReturn:
    Console(stderr=True, highlight=False, soft_wrap=True).print(f"[red]Error:[/red] {escape(message)}")
    sys.exit(2)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        out.print(f"lowerbound {version('lowerbound')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Deep latent-variable models, learned with the variational lower bound."""


@app.command()
def fit(
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="[DATA]",
            help="Name of a data set (lowerbound datasets), or a path; with --resume none.",
            show_default=False,
        ),
    ] = None,
    recipe: Annotated[str, typer.Option(help="Name of a recipe (lowerbound recipes), or a TOML file.")] = "vae",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting, such as model.latent_dim=2; may be repeated."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--out", help="Directory of the run.", show_default="runs/DATA-RECIPE")
    ] = None,
    resume: Annotated[Path | None, typer.Option(help="Continue the training of this run.", show_default=False)] = None,
    epochs: Annotated[int | None, typer.Option(help="Bound on the passes over the data.", show_default="100")] = None,
    max_minutes: Annotated[float | None, typer.Option(help="Bound on the time.", show_default="none")] = None,
    latent_dim: Annotated[int | None, typer.Option(help="Dimension of z.", show_default="the recipe's")] = None,
    likelihood: Annotated[
        str | None, typer.Option(help="Of the data, p(x | z).", show_default="what suits the data")
    ] = None,
    resize: Annotated[
        str | None, typer.Option(metavar="HxW", help="Bring images to this height and width.", show_default=False)
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything random.", show_default="0")] = None,
) -> None:
    """Train a model of DATA, evaluate it, and draw its pictures."""
    from lowerbound.config import Config

    overrides = list(settings or [])
    shortcuts = {
        "training.epochs": epochs,
        "training.max_minutes": max_minutes,
        "model.latent_dim": latent_dim,
        "model.likelihood": likelihood,
        "data.resize": None if resize is None else _size(resize),
        "seed": seed,
    }
    overrides += [f"{name}={value}" for name, value in shortcuts.items() if value is not None]
    if resume is not None and (data is not None or output is not None):
        raise UserError("--resume continues a run on its own data in its own directory: leave DATA and --out away.")
    if resume is None and data is None:
        raise UserError("There is nothing to fit: give the name of a data set (lowerbound datasets) or a path.")
    config = Config.load(recipe, overrides)  # a misspelt setting is found before torch is loaded

    from lowerbound.console import FitDisplay, print_outcome
    from lowerbound.experiment import fit_run, resume_run

    with FitDisplay().watching() as watch:
        if resume is not None:
            outcome = resume_run(resume, overrides, watch=watch)
        else:
            assert data is not None
            outcome = fit_run(data, config, output, watch=watch)
    print_outcome(outcome)
    if outcome.result.stopped == "interrupted":
        raise typer.Exit(130)


@app.command()
def evaluate(
    run: RunPath,
    data: Annotated[
        str | None,
        typer.Argument(metavar="[DATA]", help="Other data of the same shape.", show_default="the run's own"),
    ] = None,
    rows: Annotated[
        Literal["train", "validation", "test"], typer.Option(help="Which part of the run's own data.")
    ] = "test",
    particles: Particles = 1000,
    examples: Annotated[
        int | None, typer.Option(min=2, help="Importance-sample only the first so many.", show_default="all")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of every draw.", show_default="the run's")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the figures to this .json too.", show_default=False)
    ] = None,
) -> None:
    """Compute −ELBO, NLL and how the latent variables are used, with standard errors."""
    from lowerbound.console import print_evaluation, progress
    from lowerbound.files import write_text
    from lowerbound.run import Run

    opened = Run.open(run)
    if output is not None and output.suffix.lower() != ".json":
        raise UserError(f"{output} must end in .json: the figures of an evaluation are written as JSON.")
    from lowerbound.experiment import evaluate_run

    with progress("Importance sampling") as on_progress:
        found = evaluate_run(
            opened, data, rows=rows, particles=particles, examples=examples, seed=seed, on_progress=on_progress
        )
    print_evaluation(found)
    out.print(f"Protocol: {escape(found.protocol)}")
    if output is not None:
        write_text(output, found.to_json())
        out.print(f"Figures: {output}")


@app.command()
def sample(
    run: RunPath,
    output: AnyPath,
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=1_000_000, help="How many.")] = 64,
    means: Annotated[
        bool | None,
        typer.Option(
            "--means/--draws",
            help="The mean of p(x | z) for each z, or a draw from it.",
            show_default="means for pictures of images, else draws",
        ),
    ] = None,
    temperature: Annotated[float, typer.Option(min=0, help="Scale of the prior's spread.")] = 1.0,
    seed: Seed = 0,
) -> None:
    """Sample from p(x)."""
    opened, trained = _load(run, output, picture=True)
    picture = output.suffix.lower() in PICTURES
    as_means = picture and opened.source.kind == "image" if means is None else means
    drawn = trained.sample(count, mean=as_means, temperature=temperature, seed=seed)
    if picture:
        from lowerbound import figures

        figures.save(figures.samples(drawn, columns=opened.source.columns or None, limits=opened.source.limits), output)
    else:
        _write_data(opened, output, "samples", drawn)
    out.print(f"{count:,} {'means of p(x | z), z ~ p(z)' if as_means else 'draws from p(x)'}: {output}")


@app.command()
def encode(run: RunPath, data: DataPath, output: ArraysPath) -> None:
    """Write the code of each datum: the mean of q(z | x)."""
    from lowerbound.outputs import write_arrays

    opened, trained = _load(run, output, picture=False)
    dataset = _open(opened, trained, data)
    codes = trained.encode(dataset.values)
    write_arrays(output, {"z": codes} if dataset.labels is None else {"z": codes, "label": dataset.labels})
    out.print(f"{len(codes):,} codes of {codes.shape[1]:,} dimensions: {output}")


@app.command()
def reconstruct(run: RunPath, data: DataPath, output: AnyPath) -> None:
    """Write each datum as it comes back from its code; a .png shows the first ones beside their originals."""
    opened, trained = _load(run, output, picture=True)
    dataset = _open(opened, trained, data)
    if output.suffix.lower() in PICTURES:
        from lowerbound import figures

        shown = dataset.values[: 50 if dataset.kind == "image" else 1000]
        again = trained.reconstruct(shown)
        looks = {"columns": opened.source.columns or None, "limits": opened.source.limits}
        figures.save(figures.reconstructions(shown, again, **looks), output)
    else:
        again = trained.reconstruct(dataset.values)
        _write_data(opened, output, "reconstructions", again)
    out.print(f"{len(again):,} reconstructions: {output}")


@app.command()
def score(
    run: RunPath,
    data: DataPath,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to: .npz or .parquet.", show_default=False)
    ] = None,
    particles: Particles = 100,
    seed: Seed = 0,
) -> None:
    """Estimate log p(x) of each datum in nats: low values are anomalies."""
    import numpy as np

    from lowerbound.console import progress
    from lowerbound.outputs import write_arrays

    opened, trained = _load(run, output, picture=False)
    dataset = _open(opened, trained, data)
    with progress("Importance sampling") as on_progress:
        scores = trained.score(dataset.values, particles, seed=seed, on_progress=on_progress)
    values = scores.log_likelihood
    error = values.std(ddof=1) / np.sqrt(len(values))
    out.print(f"log p(x) of {len(values):,} rows: {values.mean():.2f} ± {error:.2f} nats on average, K = {particles:,}")
    lowest = np.argsort(values, kind="stable")[:5]
    out.print("Lowest, counted from 0: " + ", ".join(f"row {row} ({values[row]:.2f})" for row in lowest))
    if output is not None:
        write_arrays(output, scores._asdict())
        out.print(f"Scores: {output}")


@app.command()
def recipes(name: Annotated[str | None, typer.Argument(help="Show one as TOML.", show_default=False)] = None) -> None:
    """List the recipes, or show one."""
    from lowerbound.recipes import find_recipe, recipes

    if name is not None:
        from lowerbound.config import Config

        found = find_recipe(name)
        out.print(escape(f"# {found.title}. {found.description}\n# {found.paper} ({found.year}), {found.url}\n"))
        out.print(escape(Config.load(name).to_toml()))
        return
    table = Table("recipe", "what it is", "paper", box=None, pad_edge=False)
    for recipe in recipes():
        published = f"\nPublished: {recipe.published}" if recipe.published else ""
        what = f"{recipe.title}. {recipe.description}{published}"
        table.add_row(recipe.name, escape(what), escape(f"{recipe.paper} ({recipe.year})"))
    Console(highlight=False).print(table)


@app.command()
def datasets() -> None:
    """List the data sets that have a name."""
    from lowerbound.data import datasets

    table = Table("name", "what it is", "where", box=None, pad_edge=False)
    for named in datasets():
        what = f"{named.title}: {named.contents}. {named.reference}"
        table.add_row(named.name, escape(what), escape(named.place or "not here yet"))
    Console(highlight=False).print(table)
    out.print("Or a path: .npy, .npz, IDX (gzip'd or not), .csv, .parquet, or a folder of images.")


def _size(text: str) -> str:
    height, times, width = text.lower().partition("x")
    if not (times and height.isdecimal() and width.isdecimal()):
        raise UserError(f"--resize takes height and width, such as 32x32, not '{text}'.")
    return f"[{height}, {width}]"


def _load(run: str, output: Path | None, *, picture: bool) -> tuple[Run, Trained]:
    """The run and its model, once it is known that the output can be written."""
    from lowerbound.run import Run

    opened = Run.open(run)
    if output is not None:
        check_output(output, ARRAYS + PICTURES if picture else ARRAYS)
    from lowerbound.experiment import best_device

    return opened, opened.load(best_device())


def _open(run: Run, trained: Trained, data: str) -> Dataset:
    from lowerbound.experiment import open_for

    return open_for(run, data, trained.preparation)


def _write_data(run: Run, output: Path, name: str, values: np.ndarray) -> None:
    """Write data in its own units: images with the channels last, as most programs read them."""
    from lowerbound.outputs import write_arrays

    if run.source.kind == "image":
        values = values[:, 0] if values.shape[1] == 1 else values.transpose(0, 2, 3, 1)
    write_arrays(output, {name: values}, {name: run.source.columns})


if __name__ == "__main__":
    main()
