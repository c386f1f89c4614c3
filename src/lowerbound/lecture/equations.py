r"""Equations in MathML, which browsers show without any script.

The notation is a small part of TeX's: `_` and `^` with braces, `\frac{…}{…}`, the spaces `\,` and `\quad`, and every
other sign as itself. A word of several letters is upright, as log and KL are.
"""

from __future__ import annotations

import re
from html import escape

_TOKEN = re.compile(r"\\frac|\\quad|\\,|[0-9]+(?:\.[0-9]+)?|[A-Za-z]+|[^\s]")
# These stand between their limits, and what is summed follows.
_LARGE = "∑∫"
_SPACES = {r"\,": "0.17em", r"\quad": "1.2em"}


def to_mathml(equation: str) -> str:
    """The equation as a block of its own.

    Raises:
        ValueError: A brace that is not closed, or a sign that nothing stands behind.
    """
    tokens = _TOKEN.findall(equation)
    row = _row(tokens, "")
    if tokens:
        raise ValueError(f"A brace in '{equation}' was not opened.")
    return f'<math display="block" alttext="{escape(equation)}">{row}</math>'


def _row(tokens: list[str], end: str) -> str:
    """Everything up to the end, which is taken away."""
    parts = []
    while tokens and tokens[0] != "}":
        parts.append(_scripted(tokens))
    if end and (not tokens or tokens.pop(0) != end):
        raise ValueError("A brace of an equation was not closed.")
    return f"<mrow>{''.join(parts)}</mrow>"


def _scripted(tokens: list[str]) -> str:
    """One thing with what stands below and above it."""
    large = tokens[0] in _LARGE
    base, scripts = _atom(tokens), {}
    while tokens and tokens[0] in "_^":
        sign = tokens.pop(0)
        scripts[sign] = _atom(tokens)
    if not scripts:
        return base
    kind = {"_": "under", "^": "over", "_^": "underover"} if large else {"_": "sub", "^": "sup", "_^": "subsup"}
    present = "".join(sign for sign in "_^" if sign in scripts)
    return f"<m{kind[present]}>{base}{''.join(scripts[sign] for sign in present)}</m{kind[present]}>"


def _atom(tokens: list[str]) -> str:
    if not tokens:
        raise ValueError("An equation ends where something is missing.")
    token = tokens.pop(0)
    if token == "{":
        return _row(tokens, "}")
    if token == r"\frac":
        return f"<mfrac>{_atom(tokens)}{_atom(tokens)}</mfrac>"
    if token in _SPACES:
        return f'<mspace width="{_SPACES[token]}"/>'
    if token[0].isdigit():
        return f"<mn>{token}</mn>"
    if token.isalpha():
        return f"<mi>{token}</mi>"
    return f"<mo>{escape(token)}</mo>"
