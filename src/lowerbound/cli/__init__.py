"""The command line: thin functions over the rest.

torch is imported only in the commands that need it, so that `lowerbound --help` answers at once.
"""

from lowerbound.cli.main import main

__all__ = ["main"]
