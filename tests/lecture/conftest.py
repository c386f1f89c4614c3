"""One workshop with short trainings for all tests of the lecture, which sees embedded data alone."""

from __future__ import annotations

import pytest

from lowerbound.lecture import Workshop


@pytest.fixture(scope="session")
def workshop(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOWERBOUND_DATA", str(tmp_path_factory.mktemp("nothing")))
        return Workshop(effort=0.1)
