"""How the figures of the lecture are drawn: panels, and graphs of nodes and arrows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Patch, Rectangle

from lowerbound.figures.canvas import GREY, LABEL, TICK, VERMILLION, new_axes

Node = tuple[float, float, str]
"""Where a node stands, one unit being the room that it needs, and what it is: "latent", "observed", "parameter",
"layer", "draw", "loss" or "sum"."""

DPI = 144
"""Of every figure: sharp on a page, and small enough to be kept with the documentation."""
# Face and edge: white for what is hidden, grey for what is seen, and the colours of Doersch's figure for the rest.
_LOOKS: dict[str, tuple[str, str]] = {
    "latent": ("white", "black"),
    "observed": ("#D9D9D9", "black"),
    "parameter": ("none", "none"),
    "layer": ("#F3F3F3", "#555555"),
    "draw": ("#FBE3D2", VERMILLION),
    "loss": ("#D6E8F5", "#0072B2"),
    "sum": ("white", "#555555"),
}
_ROUND = {"latent": 0.34, "observed": 0.34, "sum": 0.2, "parameter": 0.24}


def panels(columns: int, width: float, height: float, *, one_scale: bool = False) -> tuple[Figure, list[Axes]]:
    """A figure of panels beside one another, sizes in inches; all on one scale, or each on its own."""
    figure = Figure(figsize=(width, height), dpi=DPI, layout="compressed")
    return figure, list(figure.subplots(1, columns, squeeze=False, sharex=one_scale, sharey=one_scale)[0])


def number(value: float, digits: int) -> str:
    """A number with so many digits behind the point, and with a minus that is one."""
    return f"{value:.{digits}f}".replace("-", "−")


def figure_of(ax: Axes) -> Figure:
    """The figure that an axis stands on."""
    figure = ax.get_figure(root=True)
    assert isinstance(figure, Figure)
    return figure


def heading(ax: Axes, text: str) -> None:
    """What a panel shows, above its left edge."""
    ax.set_title(text, fontsize=LABEL, loc="left")


def draw_graph(
    nodes: Mapping[str, Node],
    edges: Sequence[tuple[str, str]],
    *,
    dashed: Sequence[tuple[str, str]] = (),
    plate: tuple[float, float, float, float, str] | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """A graphical model or a network: nodes, and arrows between them.

    Args:
        nodes: By label, which may be mathtext or have several lines.
        edges: From label to label.
        dashed: More of them, drawn dashed.
        plate: Left, bottom, width, height and label of a box around what is repeated.
        title: Above the graph.
        ax: Where to draw; None: on a new figure.

    Raises:
        KeyError: An edge from or to a node that there is not, or a node of another kind.
    """
    ax = new_axes(3.2, 3.2) if ax is None else ax
    ax.set_aspect("equal")
    ax.axis("off")
    shapes = {label: _shape(label, node) for label, node in nodes.items()}
    for label, shape in shapes.items():
        ax.add_patch(shape)
        ax.text(*nodes[label][:2], label, fontsize=TICK, ha="center", va="center", linespacing=1.15)
    for start, end in [*edges, *dashed]:
        ends = {"posA": nodes[start][:2], "posB": nodes[end][:2], "patchA": shapes[start], "patchB": shapes[end]}
        # Dashed arrows go round, for they may go against solid ones.
        line, bend = ("dashed", "arc3,rad=-0.35") if (start, end) in dashed else ("solid", "arc3")
        style = {"arrowstyle": "-|>", "mutation_scale": 9, "linestyle": line, "connectionstyle": bend}
        ax.add_patch(FancyArrowPatch(**ends, **style, color="#333333"))
    if plate:
        left, bottom, width, height, text = plate
        ax.add_patch(Rectangle((left, bottom), width, height, fill=False, edgecolor=GREY))
        ax.text(left + width - 0.1, bottom + 0.08, text, fontsize=TICK, ha="right", va="bottom")
    ax.set_title(title, fontsize=LABEL)
    ax.autoscale_view()
    return ax


def _shape(label: str, node: Node) -> Patch:
    x, y, kind = node
    face, edge = _LOOKS[kind]
    if kind in _ROUND:
        return Circle((x, y), _ROUND[kind], facecolor=face, edgecolor=edge)
    lines = label.split("\n")
    width, height = max(0.7, 0.125 * max(map(_letters, lines)) + 0.1), 0.25 * len(lines) + 0.1
    style = "round,pad=0.08,rounding_size=0.1"
    corner = (x - width / 2, y - height / 2)
    return FancyBboxPatch(corner, width, height, boxstyle=style, facecolor=face, edgecolor=edge)


def _letters(line: str) -> int:
    """About how many letters wide a line of mathtext is."""
    plain = line
    for sign in ("$", "{", "}", "\\mathrm", "\\mathcal", "\\hat", "_", "^", "\\"):
        plain = plain.replace(sign, "")
    return len(plain.replace("varepsilon", "e").replace("Sigma", "S").replace("mu", "m").replace("parallel", "l"))
