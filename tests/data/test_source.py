"""Every way in which a source can be bad: one sentence that names it."""

from __future__ import annotations

import gzip
import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from lowerbound.data import open_data
from lowerbound.data.idx import header_of
from lowerbound.errors import UserError

IMAGES = np.random.default_rng(0).integers(0, 256, (20, 6, 5), np.uint8)


def npy(values) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=True)
    return buffer.getvalue()


def npz(**arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def parquet() -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"a": np.arange(1000) / 7}), buffer)
    return buffer.getvalue()


def png() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(IMAGES[0]).save(buffer, "png")
    return buffer.getvalue()


def archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("sheet.xml", "<a/>")
    return buffer.getvalue()


IDX = header_of(IMAGES) + IMAGES.tobytes()
OBJECTS = np.array([{"a": 1}, None], object)


def test_the_first_bytes_say_what_a_file_is_and_not_its_name(tmp_path):
    for content in (npy(IMAGES), IDX, npz(x=IMAGES), gzip.compress(npy(IMAGES)), gzip.compress(IDX)):
        path = tmp_path / "some.thing"
        path.write_bytes(content)
        dataset = open_data(path)
        np.testing.assert_array_equal(dataset.values[:, 0], IMAGES)
        assert (dataset.values.dtype, dataset.maximum, dataset.name) == (np.uint8, 255, "some.thing")


@pytest.mark.parametrize(
    ("file", "stem"),
    [
        ("x.npy", "x"),
        ("x.y.npy.gz", "x.y"),
        ("train-images-idx3-ubyte.gz", "train-images-idx3-ubyte"),
        ("X.NPY", "X"),
    ],
)
def test_the_name_of_the_data_is_the_stem_of_the_path(tmp_path, file, stem):
    (tmp_path / file).write_bytes(gzip.compress(npy(IMAGES)))
    assert open_data(str(tmp_path / file)).name == stem


def test_images_of_a_file_are_resized(tmp_path):
    (tmp_path / "x.npy").write_bytes(npy(IMAGES))
    assert open_data(tmp_path / "x.npy", resize=(3, 4)).shape == (1, 3, 4)


BAD = {
    "empty.npy": (b"", "is empty"),
    "empty.csv": (b"", "is empty"),
    "empty.csv.gz": (gzip.compress(b""), "is empty"),
    "empty.npz": (npz(), "is an archive without arrays"),
    "cut.npy": (npy(IMAGES)[:-7], "is truncated or damaged"),
    "header.npy": (npy(IMAGES)[:20], "is truncated or damaged"),
    "cut.npy.gz": (gzip.compress(npy(IMAGES))[:-300], "is truncated or damaged"),
    "sum.npy.gz": (gzip.compress(npy(IMAGES))[:-8] + bytes(8), "is truncated or damaged"),
    "two.npy": (npy(IMAGES) + npy(IMAGES), "has more bytes than its header says"),
    "tiny.npy.gz": (gzip.compress(npy(IMAGES))[:6], "is truncated or damaged"),
    "cut.npz": (npz(x=IMAGES)[:-40], "is truncated or damaged"),
    "inside.npz": (npz(x=IMAGES)[:200] + bytes(100) + npz(x=IMAGES)[300:], "is truncated or damaged"),
    "cut-idx3-ubyte": (IDX[:-1], "is truncated or damaged"),
    "head-idx3-ubyte": (IDX[:9], "is truncated or damaged"),
    "cut-idx3-ubyte.gz": (gzip.compress(IDX)[:100], "is truncated or damaged"),
    "long-idx3-ubyte": (IDX + b"\0", "has more bytes than its header says"),
    "huge-idx3-ubyte": (b"\0\0\x08\x03" + b"\xff" * 12, "(is truncated or damaged|needs more memory)"),
    "cut.parquet": (parquet()[:-20], "is truncated or damaged"),
    "head.parquet": (parquet()[:100], "is truncated or damaged"),
    "wrong.npy": (b"1,2\n3,4\n", "is not what its name says"),
    "wrong.npz": (b"1,2\n3,4\n", "is not what its name says"),
    "wrong.parquet": (b"1,2\n3,4\n", "is not what its name says"),
    "wrong-idx3-ubyte.gz": (gzip.compress(b"<html>"), "is not what its name says"),
    "page.csv": (b"<html>\n<p>\n", "the column <html> has text"),
    "sheet.csv": (archive(), "is an archive without arrays"),
    "x.parquet.gz": (gzip.compress(parquet()), "decompress it first"),
    "objects.npy": (npy(OBJECTS), "holds Python objects, which are not read"),
    "objects.npz": (npz(x=OBJECTS), "holds Python objects, which are not read"),
    "records.npy": (npy(np.zeros(3, [("a", float), ("b", int)])), "only real numbers"),
    "complex.npy": (npy(np.zeros((3, 3), complex)), "only real numbers"),
    "text.npy": (npy(np.array([["a", "b"], ["c", "d"]])), "only real numbers"),
    "nan.npy": (npy(np.array([[1, 2], [np.nan, 2], [3, np.inf]])), r"2 of its 3 rows \(counted from 0: 1, 2\)"),
    "row.npy": (npy(np.zeros((1, 3))), "one single row"),
    "none.npy": (npy(np.zeros((0, 3))), "holds no data"),
    "labels.npy": (npy(np.arange(5)), "as labels do"),
    "labels-idx1-ubyte": (header_of(np.arange(5, dtype=np.uint8)) + bytes(5), "as labels do"),
    "many.npz": (npz(a=IMAGES, b=IMAGES), "has the arrays a, b"),
    "one.png": (png(), "is one image: give the folder"),
    "model.bin": (b"\x80\x04abcdefgh", "is nothing that can be read"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_in_one_sentence_that_names_it(tmp_path, name):
    content, words = BAD[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserError, match=words) as caught:
        open_data(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    assert message.endswith(".")


@pytest.mark.parametrize("source", ["nothing.npy", "no/where", Path("nothing"), "~/nothing/at/all"])
def test_a_path_that_is_not_there_is_named(tmp_path, monkeypatch, source):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=rf"There is no file or folder .*{Path(source).name}: check the path"):
        open_data(source)


def test_an_unknown_name_is_answered_with_the_nearest_ones(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"Unknown data set, file or folder 'fashon-mnist': did you mean fashion-mnist"):
        open_data("fashon-mnist")


def test_a_name_comes_before_a_folder_of_that_name_and_a_path_does_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    for name in "ab":
        Image.fromarray(IMAGES[0]).save(tmp_path / "digits" / f"{name}.png")
    assert len(open_data("digits")) == 1797
    assert len(open_data("./digits")) == len(open_data(Path("digits"))) == 2


@pytest.fixture
def unprivileged(tmp_path, monkeypatch):
    """In a directory of its own; for root, who may read everything, with the rights of nobody when it is called."""
    monkeypatch.chdir(tmp_path)
    tmp_path.chmod(0o755)
    root = os.geteuid() == 0
    yield lambda: os.seteuid(65534) if root else None
    if root:
        os.seteuid(0)


@pytest.mark.parametrize(
    ("source", "closed"),
    [("x.npy", "x.npy"), ("folder", "folder"), ("folder", "folder/a.png"), ("folder/x.npy", "folder")],
)
def test_what_may_not_be_read_is_named_with_the_reason(unprivileged, source, closed):
    Path("folder").mkdir(mode=0o755)
    Path("folder/a.png").write_bytes(png())
    Path("x.npy").write_bytes(npy(IMAGES))
    Path(closed).chmod(0)
    unprivileged()
    named = source if source.endswith(".npy") else closed
    with pytest.raises(UserError, match=rf"^{named} cannot be read: Permission denied\.$"):
        open_data(source)
