"""What the documents say is true: their code runs, and every public name is documented."""

import doctest
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [page for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))]


def blocks(page, *languages):
    """(language, code, line of the file) of every fenced block in one of the languages."""
    text = page.read_text()
    for match in FENCE.finditer(text):
        if match[1] in languages:
            yield match[1], match[2], text.count("\n", 0, match.start(2))


def run(page, namespace):
    """Run the Python blocks of a page one after the other, in one namespace."""
    for language, code, line in blocks(page, "python", "pycon"):
        if language == "python":
            exec(compile("\n" * line + code, str(page), "exec"), namespace)
        else:
            report = []
            test = doctest.DocTestParser().get_doctest(code, namespace, page.name, str(page), line)
            doctest.DocTestRunner().run(test, out=report.append, clear_globs=False)
            assert not report, "".join(report)
            namespace.update(test.globs)


@pytest.mark.parametrize("page", [p for p in PAGES if any(blocks(p, "python", "pycon"))], ids=lambda p: p.name)
def test_the_python_of_a_page_runs(page):
    run(page, {"__name__": "__main__"})
