"""The lecture on variational autoencoders, alive: every figure of its slides, computed by the library.

Each slide has a file, in which its figures stand as `Exhibit`s: the words, the code that is run and shown, and how its
result is drawn. `write_lecture` makes a page of them, and `as_markdown` the page of the documentation.
"""

from __future__ import annotations

from lowerbound.lecture.drawing import draw_graph
from lowerbound.lecture.exhibit import Exhibit, Slide
from lowerbound.lecture.page import as_markdown, write_lecture
from lowerbound.lecture.slides import SLIDES
from lowerbound.lecture.workshop import Workshop

__all__ = ["SLIDES", "Exhibit", "Slide", "Workshop", "as_markdown", "draw_graph", "write_lecture"]
