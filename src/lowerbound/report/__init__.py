"""Pages about runs: one that tells a run, and one that sets several side by side; each is a single HTML file."""

from lowerbound.report.citations import Citation, citations
from lowerbound.report.comparison import Comparison, Row, compare, write_comparison
from lowerbound.report.report import write_report

__all__ = ["Citation", "Comparison", "Row", "citations", "compare", "write_comparison", "write_report"]
