import re
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import lowerbound.lecture
from lowerbound.lecture import SLIDES, as_markdown, write_lecture

DOCS = Path(__file__).parents[2] / "docs"
EXHIBITS = [exhibit for slide in SLIDES for exhibit in slide.exhibits]
EMBEDDED = [exhibit for exhibit in EXHIBITS if exhibit.needs is None]


class Page(HTMLParser):
    """The tags of a page with their attributes, and the text of each code block and caption."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self.open = [], {"code": [], "figcaption": []}, None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in self.texts:
            self.texts[tag].append("")
            self.open = tag

    def handle_endtag(self, tag):
        if tag == self.open:
            self.open = None

    def handle_data(self, data):
        if self.open:
            self.texts[self.open][-1] += data

    def all(self, wanted):
        return [attributes for tag, attributes in self.tags if tag == wanted]


@pytest.fixture(scope="module")
def written(workshop, tmp_path_factory):
    directory = tmp_path_factory.mktemp("lecture")
    shares = []
    page = write_lecture(directory, workshop, shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1
    return page


@pytest.fixture(scope="module")
def page(written):
    return Page(written.read_text())


def test_every_figure_is_on_the_page_with_its_words(page):
    assert [attributes["id"] for attributes in page.all("article")] == [exhibit.name for exhibit in EXHIBITS]
    assert [image["alt"] for image in page.all("img")] == [exhibit.alt for exhibit in EMBEDDED]
    assert page.texts["figcaption"] == [" ".join(exhibit.see) for exhibit in EMBEDDED]
    shown = [text for text in page.texts["code"] if text != "lowerbound datasets"]
    assert shown == [exhibit.shown() for exhibit in EXHIBITS]
    assert len(page.all("math")) == len(EXHIBITS)


def test_nothing_on_the_page_is_loaded_from_elsewhere(page, written):
    assert not page.all("script")
    assert not page.all("link")
    for _, attributes in page.tags:
        for name in ("src", "href", "srcset", "data", "action"):
            if name in attributes:
                assert attributes[name].startswith(("data:image/png;base64,", "#"))
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert {attributes["href"][1:] for attributes in page.all("a")} <= ids
    assert not re.search(r"url\(|@import|https?://", written.read_text())
    assert any("default-src 'none'" in meta.get("content", "") for meta in page.all("meta"))


def test_every_figure_is_a_picture_of_its_own_too(written):
    for exhibit in EMBEDDED:
        pixels = np.asarray(Image.open(BytesIO((written.parent / f"{exhibit.name}.png").read_bytes())).convert("L"))
        assert min(pixels.shape) > 200
        assert pixels.std() > 5


def test_a_figure_whose_data_is_missing_says_so_in_its_place(written):
    missing = [exhibit for exhibit in EXHIBITS if exhibit not in EMBEDDED]
    assert [exhibit.needs for exhibit in missing] == ["mnist", "frey-faces"]
    for exhibit in missing:
        assert f"needs the data set {exhibit.needs}, which is not here" in written.read_text()
        assert not (written.parent / f"{exhibit.name}.png").exists()


def test_the_command_writes_the_page_and_names_what_was_left_out(command, workshop, written, tmp_path, monkeypatch):
    monkeypatch.setattr(lowerbound.lecture, "Workshop", lambda: workshop)
    answer = command("lecture", "-o", tmp_path / "new" / "page")
    assert answer.code == 0, answer.error
    assert "mnist, frey-faces" in answer.out
    assert (tmp_path / "new" / "page" / "index.html").read_text()[:15] == "<!doctype html>"


def test_a_directory_that_cannot_be_made_is_one_sentence(command, tmp_path):
    (tmp_path / "file").touch()
    answer = command("lecture", "-o", tmp_path / "file")
    assert answer.code == 2
    assert re.fullmatch(r"Error: Cannot write .*: choose another place\.\n", answer.error)


def test_the_page_of_the_documentation_says_what_the_package_says():
    """Where it does not: write `lowerbound.lecture.as_markdown()` to docs/lecture.md."""
    assert (DOCS / "lecture.md").read_text() == as_markdown()


def test_the_documentation_has_every_figure_and_they_are_small():
    pictures = sorted((DOCS / "images" / "lecture").iterdir())
    assert [path.name for path in pictures] == sorted(f"{exhibit.name}.png" for exhibit in EXHIBITS)
    assert sum(path.stat().st_size for path in pictures) < 1.5e6
