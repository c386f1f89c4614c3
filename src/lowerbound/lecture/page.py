"""The lecture as a page of its own, and as one of the documentation."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, select_autoescape

from lowerbound import figures
from lowerbound.errors import UserError
from lowerbound.files import write_text
from lowerbound.lecture.drawing import DPI
from lowerbound.lecture.equations import to_mathml
from lowerbound.lecture.exhibit import Exhibit
from lowerbound.lecture.slides import SLIDES
from lowerbound.lecture.workshop import Workshop

TITLE = "The lecture, alive"
ABOUT = (
    "Every idea of the lecture Generative Models I: Variational Autoencoders (N. Dronen, University of Colorado "
    "Boulder, 2019), slide by slide, computed by the library's public functions. Below each figure stand what to "
    "see, the equation, and the code that made it. All log-likelihoods and divergences are in nats."
)

# Points of a screen in an inch of a figure.
_POINTS = 100


class Picture(NamedTuple):
    """A figure that was written."""

    address: str
    """A `data:` address with all of it."""
    width: int
    """Points of a screen."""
    height: int


def write_lecture(
    directory: str | Path, workshop: Workshop | None = None, on_progress: Callable[[float], None] | None = None
) -> Path:
    """Compute every figure, and write the page `index.html`, which holds them all, and each as a PNG beside it.

    Args:
        directory: Where to; it is made where it is not there, and files of these names are written anew.
        workshop: Where the figures are computed; None: a new one.
        on_progress: Called after each figure with the share that is done, 0 … 1.

    Returns:
        The path of the page.

    Raises:
        UserError: The directory cannot be written.
    """
    directory, workshop = Path(directory), workshop or Workshop()
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"Cannot write {directory} ({error.strerror or error}): choose another place.") from error
    exhibits = [exhibit for slide in SLIDES for exhibit in slide.exhibits]
    pictures: dict[str, Picture] = {}
    for number, exhibit in enumerate(exhibits, 1):
        if workshop.has(exhibit):
            pictures[exhibit.name] = _write(exhibit, workshop, directory)
        if on_progress:
            on_progress(number / len(exhibits))
    page = directory / "index.html"
    write_text(page, _environment().get_template("page.html").render(_words(), pictures=pictures))
    return page


def as_markdown(images: str = "images/lecture") -> str:
    """The same page for the documentation, whose figures are in a directory beside it."""
    return _environment().get_template("page.md").render(_words(), images=images)


def _words() -> dict[str, Any]:
    return {"title": TITLE, "about": ABOUT, "slides": SLIDES}


def _write(exhibit: Exhibit[Any], workshop: Workshop, directory: Path) -> Picture:
    figure = exhibit.draw(workshop[exhibit])
    figure.set_dpi(DPI)
    path = figures.save(figure, directory / f"{exhibit.name}.png")
    width, height = (round(inches * _POINTS) for inches in figure.get_size_inches())
    return Picture(f"data:image/png;base64,{b64encode(path.read_bytes()).decode()}", width, height)


def _environment() -> Environment:
    environment = Environment(
        # The frame of a page, with what it may load, is that of the reports.
        loader=ChoiceLoader([PackageLoader("lowerbound.lecture"), PackageLoader("lowerbound.report")]),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["mathml"] = to_mathml
    return environment
