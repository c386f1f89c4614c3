"""From a name with settings to an object, and every way in which that can go wrong."""

from __future__ import annotations

from typing import Literal

import pytest

from lowerbound.errors import UserError
from lowerbound.parts import Part, build


class Cake:
    def __init__(self, guests: int, layers: int = 2, icing: Literal["sugar", "butter"] = "sugar") -> None:
        if layers < 1:
            raise ValueError(f"layers must be at least 1, not {layers}.")
        self.guests, self.layers, self.icing = guests, layers, icing


def pie(guests: int, *, filling: str) -> tuple[int, str]:
    return guests, filling


TABLE = {"cake": Cake, "pie": pie}


def test_a_name_and_its_settings_become_an_object():
    cake = build(Part("cake", {"layers": 3}), TABLE, "dessert", 5)
    assert (cake.guests, cake.layers, cake.icing) == (5, 3, "sugar")
    assert build(Part("pie", {"filling": "plum"}), TABLE, "dessert", guests=2) == (2, "plum")


@pytest.mark.parametrize("value", ["cake", {"name": "cake"}, Part("cake")])
def test_parse_reads_names_tables_and_parts(value):
    assert Part.parse(value, "dessert") == Part("cake")


def test_plain_is_read_back():
    part = Part("cake", {"layers": 3})
    assert Part.parse(part.plain(), "dessert") == part


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (Part("cacke"), "Unknown dessert 'cacke': did you mean cake?"),
        (Part("xyzzy"), "Unknown dessert 'xyzzy': there are: cake, pie."),
        (Part("cake", {"layer": 3}), "Unknown setting of dessert 'cake' 'layer': did you mean layers?"),
        (Part("cake", {"guests": 3}), "Unknown setting of dessert 'cake' 'guests'"),
        (Part("cake", {"layers": "many"}), "dessert.layers = 'many' does not fit: "),
        (Part("cake", {"icing": "salt"}), "dessert.icing = 'salt' does not fit: "),
        (Part("cake", {"layers": 0}), "dessert 'cake': layers must be at least 1, not 0."),
        (Part("pie"), "dessert 'pie' needs the setting filling."),
    ],
)
def test_mistakes_get_one_sentence(part, message):
    with pytest.raises(UserError) as error:
        build(part, TABLE, "dessert", 5)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("value", [3, {"layers": 2}, {"name": 4}, None])
def test_what_is_no_part_is_refused(value):
    with pytest.raises(UserError, match="dessert must be a name"):
        Part.parse(value, "dessert")
