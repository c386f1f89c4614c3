"""A page as a browser would see it, for tests."""

from __future__ import annotations

import base64
import io
from html.parser import HTMLParser
from xml.etree import ElementTree

from PIL import Image

# Attributes whose address a browser loads by itself, or runs.
LOADED = ("src", "srcset", "poster", "data", "background", "action", "formaction")
VOID = ("meta", "img", "br", "link", "input", "hr")


class Page(HTMLParser):
    """Elements, text and attributes of a page; an element that is left open, or closed twice, is a mistake."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text, self.style, self._open = "", "", []
        self.feed(text)
        assert self._open == []
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if "style" in self._open:
            self.style += data
        else:
            self.text += data + " "

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    def check_alone(self) -> None:
        """Nothing is loaded from elsewhere, and nothing runs."""
        for tag, attributes in self.elements:
            assert tag not in ("script", "iframe", "object", "embed", "link", "base", "form"), tag
            for name, value in attributes.items():
                assert not name.startswith("on"), (tag, name)
                assert name != "style"
                if name in LOADED:
                    assert value.startswith("data:image/"), (tag, name, value[:50])
                if name == "href":
                    assert tag == "a"
                    assert value.startswith(("#", "https://")), value
        assert "url(" not in self.style
        assert "@import" not in self.style
        (policy,) = [one["content"] for one in self.all("meta") if one.get("http-equiv") == "Content-Security-Policy"]
        assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

    def check_readable(self) -> None:
        """What a reader without eyes or with a small screen needs."""
        assert self.all("html") == [{"lang": "en"}]
        assert [one["content"] for one in self.all("meta") if one.get("name") == "viewport"] == [
            "width=device-width, initial-scale=1"
        ]
        ids = [attributes["id"] for _, attributes in self.elements if "id" in attributes]
        assert len(set(ids)) == len(ids)
        targets = [a["href"][1:] for a in self.all("a") if a["href"].startswith("#")]
        targets += [attributes["aria-labelledby"] for _, attributes in self.elements if "aria-labelledby" in attributes]
        assert set(targets) <= set(ids)
        assert len(self.all("h1")) == len(self.all("main")) == len(self.all("title")) == 1
        assert all(image["alt"] for image in self.all("img"))
        assert all("scope" in header for header in self.all("th"))
        assert "prefers-color-scheme: dark" in self.style


def opened(address: str):
    """What a data URI holds: an image in pixels, or the root of a drawing."""
    kind, _, data = address.partition(";base64,")
    raw = base64.b64decode(data, validate=True)
    if kind == "data:image/svg+xml":
        return ElementTree.fromstring(raw)
    assert kind == "data:image/png"
    image = Image.open(io.BytesIO(raw))
    image.load()
    return image
