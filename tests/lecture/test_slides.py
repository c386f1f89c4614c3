import __future__

import ast
import importlib
import inspect
import re

import pytest

from lowerbound.lecture import SLIDES

EXHIBITS = {exhibit.name: exhibit for slide in SLIDES for exhibit in slide.exhibits}
every_exhibit = pytest.mark.parametrize("exhibit", EXHIBITS.values(), ids=list(EXHIBITS))


def test_there_are_seven_slides_and_every_figure_has_a_name_of_its_own():
    assert len(SLIDES) == 7
    assert len(EXHIBITS) == sum(len(slide.exhibits) for slide in SLIDES)


@every_exhibit
def test_each_figure_has_three_sentences(exhibit):
    for sentence in exhibit.see:
        assert sentence[0].isupper()
        assert sentence.endswith(".")
        assert ". " not in sentence
    # They stand in a Markdown page as they are.
    for text in (exhibit.title, exhibit.alt, *exhibit.see):
        assert not re.search(r"[*_`<>\[\]\\]", text)


@every_exhibit
def test_the_code_of_a_figure_has_at_most_twelve_lines_and_stands_on_its_own(exhibit):
    for function in filter(None, (exhibit.before, exhibit.code)):
        assert len(inspect.getsource(function).splitlines()) <= 12
    namespace = {}
    exec(exhibit.shown(), namespace)
    tree = ast.parse(exhibit.shown())
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    local = {name for node in ast.walk(tree) for name in bound(node)}
    assert used <= set(namespace) | set(namespace["__builtins__"]) | local


@every_exhibit
def test_the_code_that_is_shown_is_the_code_that_runs(exhibit):
    namespace = {}
    # In its file annotations are not evaluated.
    exec(compile(exhibit.shown(), "shown", "exec", __future__.annotations.compiler_flag), namespace)
    assert namespace[exhibit.code.__name__].__code__.co_code == exhibit.code.__code__.co_code


def bound(node):
    """The names that a node of the syntax tree gives a meaning."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    if isinstance(node, ast.arg):
        yield node.arg
    if isinstance(node, ast.FunctionDef):
        yield node.name


@every_exhibit
def test_the_code_of_a_figure_calls_public_names_alone(exhibit):
    tree = ast.parse(exhibit.shown())
    for statement in tree.body:
        if not (isinstance(statement, ast.ImportFrom) and statement.module.startswith("lowerbound")):
            continue
        module = importlib.import_module(statement.module)
        for alias in statement.names:
            value = getattr(module, alias.name)
            if statement.module.startswith("lowerbound.lecture"):
                # What the lecture adds are the forms of its results, and graphs.
                assert alias.name == "draw_graph" or inspect.isclass(value)
            elif not inspect.ismodule(value):
                assert alias.name in public_names(module)
    attributes = [node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    assert not [name for name in attributes if name.startswith("_")]


def public_names(module):
    """What a module offers: its __all__, or what it defines itself without an underscore."""
    own = [name for name, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__]
    return getattr(module, "__all__", [name for name in own if not name.startswith("_")])
