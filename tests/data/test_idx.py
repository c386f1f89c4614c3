from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from lowerbound.data.idx import header_of, is_idx, read_idx
from lowerbound.errors import UserError

TYPES = {"u1": 0x08, "i1": 0x09, ">i2": 0x0B, ">i4": 0x0C, ">f4": 0x0D, ">f8": 0x0E}


def written(values: np.ndarray, code: int) -> bytes:
    return struct.pack(f">BBBB{values.ndim}I", 0, 0, code, values.ndim, *values.shape) + values.tobytes()


@given(data=st.data(), kind=st.sampled_from(sorted(TYPES)), packed=st.booleans())
@settings(max_examples=30, deadline=None)
def test_an_array_is_read_as_it_was_written(tmp_path_factory, data, kind, packed):
    values = data.draw(npst.arrays(np.dtype(kind), npst.array_shapes(max_dims=4, max_side=5)))
    path = tmp_path_factory.mktemp("idx") / "x"
    content = written(values, TYPES[kind])
    path.write_bytes(gzip.compress(content) if packed else content)
    read = read_idx(path)
    assert read.shape == values.shape
    np.testing.assert_array_equal(read, values)


def test_a_file_longer_than_a_piece_is_read_whole(tmp_path):
    values = np.random.default_rng(0).integers(0, 256, (1700, 28, 28), np.uint8)
    (tmp_path / "x.gz").write_bytes(gzip.compress(written(values, 0x08), 1))
    np.testing.assert_array_equal(read_idx(tmp_path / "x.gz"), values)


def test_the_header_that_is_written_is_the_one_that_is_read():
    values = np.zeros((3, 2), np.uint8)
    assert header_of(values) + values.tobytes() == written(values, 0x08)
    assert is_idx(header_of(values))


@pytest.mark.parametrize("head", [b"", b"\0\0\x08", b"\0\0\x07\x03", b"\0\x01\x08\x03", b"\0\0\x08\0", b"1,2,"])
def test_other_beginnings_are_not_idx(tmp_path, head):
    (tmp_path / "x").write_bytes(head)
    with pytest.raises(UserError, match="x is not an IDX file"):
        read_idx(tmp_path / "x")
