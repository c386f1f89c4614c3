"""What the documents say is true: their code runs, and every public name is documented."""

import ast
import doctest
import importlib
import inspect
import pkgutil
import re
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import pytest

import lowerbound

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page, *languages):
    """(language, code, line of the file) of every fenced block in one of the languages."""
    text = page.read_text()
    for match in FENCE.finditer(text):
        if match[1] in languages:
            yield match[1], match[2], text.count("\n", 0, match.start(2))


@pytest.mark.parametrize("page", [p for p in PAGES if any(blocks(p, "python", "pycon"))], ids=lambda p: p.name)
def test_the_python_of_a_page_runs(page, tmp_path, monkeypatch):
    """In one namespace, from the top down; a `pycon` block is a doctest."""
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "__main__"}
    for language, code, line in blocks(page, "python", "pycon"):
        if language == "python":
            exec(compile("\n" * line + code, str(page), "exec"), namespace)
        else:
            report = []
            test = doctest.DocTestParser().get_doctest(code, namespace, page.name, str(page), line)
            doctest.DocTestRunner().run(test, out=report.append, clear_globs=False)
            assert not report, "".join(report)
            namespace.update(test.globs)


# What a user meets as a command and not as names of Python; docs/commands.md is its page.
MODULES = [info.name for info in pkgutil.iter_modules(lowerbound.__path__) if info.name != "cli"]


def public_names(module):
    """What a module offers: its __all__, or the classes, functions and constants that it defines without underscore."""
    if hasattr(module, "__all__"):
        return sorted(module.__all__)
    statements = ast.parse(inspect.getsource(module)).body
    code = [s.name for s in statements if isinstance(s, ast.FunctionDef | ast.ClassDef) and not s.name.startswith("_")]
    constants = [name for s in statements for name in targets(s) if re.fullmatch("[A-Z][A-Z_]+", name)]
    return sorted(code + constants)


def targets(statement):
    """The names that an assignment of a module defines."""
    match statement:
        case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
            return [name]
    return []


def documented_data(module):
    """The names of a module, or of a package's files, that are followed by a docstring as data can be."""
    files = Path(module.__file__).parent.glob("*.py") if hasattr(module, "__path__") else [Path(module.__file__)]
    for file in files:
        for statement, after in pairwise(ast.parse(file.read_text()).body):
            if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                yield from targets(statement)


def undocumented(module):
    """Public names, and public members of public classes, that nothing is said about."""
    data = set(documented_data(module))
    for name in public_names(module):
        value = getattr(module, name)
        if not (inspect.isclass(value) or inspect.isfunction(value)):
            if name not in data:
                yield name
        elif not value.__doc__:
            yield name
        elif inspect.isclass(value):
            fields = getattr(value, "__dataclass_fields__", {})  # their defaults can be functions
            for member, entry in vars(value).items():
                function = getattr(entry, "__func__", entry)
                described = inspect.isfunction(function) or isinstance(function, property | cached_property)
                if described and member not in fields and not member.startswith("_") and not function.__doc__:
                    yield f"{name}.{member}"


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_has_a_docstring(name):
    assert list(undocumented(importlib.import_module(f"lowerbound.{name}"))) == []


def test_the_api_pages_have_every_module():
    pages = (ROOT / "docs/api").glob("*.md")
    shown = [module for page in pages for module in re.findall(r"^::: (\S+)", page.read_text(), re.MULTILINE)]
    assert sorted(shown) == sorted(f"lowerbound.{name}" for name in MODULES)
