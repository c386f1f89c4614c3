from __future__ import annotations

import gzip
import hashlib
import sys
import threading
import tracemalloc
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import run

import numpy as np
import pytest

from lowerbound.data import datasets, downloads, named, open_data
from lowerbound.data.idx import header_of
from lowerbound.data.named import Array, IdxCollection, IdxFile, open_collection, open_frey_faces
from lowerbound.errors import UserError

SHAPES = {"train": (6, 4, 5), "train-labels": (6,), "t10k": (3, 4, 5), "t10k-labels": (3,)}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def places(tmp_path, monkeypatch):
    """An empty data directory, an empty cache, and a folder that a server has."""
    for name in ("data", "cache", "served"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("LOWERBOUND_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(downloads, "cache_directory", lambda: tmp_path / "cache")
    return tmp_path


@pytest.fixture
def server(places):
    """The address of the served folder, on this machine alone."""
    handler = partial(SimpleHTTPRequestHandler, directory=places / "served")
    handler.log_message = lambda *_: None
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        threading.Thread(target=httpd.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return {name: rng.integers(0, 256 if len(shape) == 3 else 10, shape, np.uint8) for name, shape in SHAPES.items()}


def write(folder: Path, **arrays) -> list[tuple[bytes, bytes]]:
    """Each array as a gzip'd IDX file; what is in the files before and after they were packed."""
    folder.mkdir(exist_ok=True)
    contents = []
    for name, values in arrays.items():
        raw = header_of(values) + values.tobytes()
        contents.append((raw, gzip.compress(raw)))
        (folder / f"{name}.gz").write_bytes(contents[-1][1])
    return contents


def collection(arrays, folder: Path, mirrors=(), *, content: bool = True) -> IdxCollection:
    """A small one in the layout of MNIST, with its four files in a folder."""
    files = [
        IdxFile(f"{name}.gz", values.shape, sha256(packed), sha256(raw) if content else None)
        for (name, values), (raw, packed) in zip(arrays.items(), write(folder, **arrays), strict=True)
    ]
    return IdxCollection("little", tuple(mirrors), *files)


def check(dataset, arrays):
    np.testing.assert_array_equal(dataset.values[:, 0], np.concatenate([arrays["train"], arrays["t10k"]]))
    np.testing.assert_array_equal(dataset.labels, np.concatenate([arrays["train-labels"], arrays["t10k-labels"]]))
    assert (dataset.kind, dataset.maximum, dataset.test_start) == ("image", 255, 6)


def test_training_and_test_files_become_one_dataset(places, arrays):
    check(open_collection(collection(arrays, places / "data" / "little")), arrays)


def test_little_more_memory_is_taken_than_the_pixels_need(places):
    """Fifteen megabytes, with the temporaries of decompression and checksum."""
    shapes = {"train": (16_000, 28, 28), "train-labels": (16_000,), "t10k": (4_000, 28, 28), "t10k-labels": (4_000,)}
    little = collection({name: np.ones(shape, np.uint8) for name, shape in shapes.items()}, places / "data" / "little")
    tracemalloc.start()
    values = open_collection(little).values
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert values.nbytes <= peak < values.nbytes + 5e6


def test_what_is_not_in_the_data_directory_is_looked_for_in_the_cache(places, arrays):
    check(open_collection(collection(arrays, places / "cache" / "little")), arrays)


def test_files_are_downloaded_once_from_the_first_mirror_that_has_the_right_ones(places, server, arrays):
    write(places / "served" / "wrong", **{name: 255 - values for name, values in arrays.items()})
    mirrors = [f"{server}/nothing", f"{server}/wrong", f"{server}/right"]
    little = collection(arrays, places / "served" / "right", mirrors)
    check(open_collection(little), arrays)
    assert sorted(path.name for path in (places / "cache" / "little").iterdir()) == sorted(f"{n}.gz" for n in SHAPES)
    for path in (places / "served" / "right").iterdir():
        path.unlink()
    check(open_collection(little), arrays)


def test_what_cannot_be_fetched_is_named_with_the_reasons_and_the_place(places, server, arrays):
    write(places / "served" / "wrong", **{name: 255 - values for name, values in arrays.items()})
    nobody = "http://127.0.0.1:1"
    little = collection(arrays, places / "elsewhere", [f"{server}/nothing", f"{server}/wrong", nobody])
    with pytest.raises(UserError) as caught:
        open_collection(little)
    message = str(caught.value)
    assert f"{server}/nothing: HTTP 404, {server}/wrong: its checksum is wrong, {nobody}: no connection" in message
    assert f"put it into {places / 'data' / 'little'}" in message
    assert "\n" not in message
    assert not any(path.is_file() for path in (places / "cache").rglob("*"))


@pytest.mark.parametrize("content", [True, False])
@pytest.mark.parametrize("name", list(SHAPES))
def test_a_file_with_other_values_is_refused(places, arrays, content, name):
    little = collection(arrays, places / "data" / "little", content=content)
    write(places / "data" / "little", **{name: 255 - arrays[name]})
    with pytest.raises(UserError, match=rf"{name}\.gz is not the file {name}\.gz of little, its content differs"):
        open_collection(little)


@pytest.mark.parametrize("shape", [(5, 4, 5), (6, 5, 4), (6,)])
def test_a_file_of_another_shape_is_refused(places, arrays, shape):
    little = collection(arrays, places / "data" / "little")
    write(places / "data" / "little", train=np.zeros(shape, np.uint8))
    with pytest.raises(UserError, match="is not the file train"):
        open_collection(little)


def test_a_file_that_is_packed_otherwise_is_the_same_where_its_content_is_known(places, arrays):
    little = collection(arrays, places / "data" / "little")
    path = places / "data" / "little" / "train.gz"
    path.write_bytes(gzip.decompress(path.read_bytes()))
    check(open_collection(little), arrays)


@pytest.mark.parametrize("keep", [0, 5, 60, -5])
def test_a_truncated_file_is_named(places, arrays, keep):
    little = collection(arrays, places / "data" / "little")
    path = places / "data" / "little" / "train.gz"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UserError, match=r"train\.gz is (truncated|not an IDX file)"):
        open_collection(little)


def test_the_frames_of_the_video_are_known_by_their_values(places):
    frames = np.random.default_rng(0).integers(0, 256, (500, 4, 3), np.uint8)
    array = Array("faces", "faces.npy.gz", (500, 4, 3), sha256(frames.tobytes()))
    with pytest.raises(UserError, match=rf"was not found: put it into {places / 'data' / 'faces'}"):
        open_frey_faces(array)
    path = places / "data" / "faces" / "faces.npy.gz"
    path.parent.mkdir()
    with gzip.open(path, "wb") as file:
        np.save(file, frames)
    dataset = open_frey_faces(array)
    np.testing.assert_array_equal(dataset.values[:, 0], frames)
    assert dataset.split_counts == (200, 200)
    assert "video" in dataset.notes[0]
    with gzip.open(path, "wb") as file:
        np.save(file, frames[::-1])
    with pytest.raises(UserError, match=r"faces\.npy\.gz is not the array of 500 × 4 × 3 bytes"):
        open_frey_faces(array)


def test_digits_are_counts_from_0_to_16_with_labels():
    dataset = open_data("digits")
    assert dataset.describe() == "1,797 images of 8 × 8, grey, 17 levels"
    assert (dataset.values.dtype, dataset.values.min(), dataset.values.max()) == (np.uint8, 0, 16)
    assert np.bincount(dataset.labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_a_named_dataset_can_be_resized():
    assert open_data("digits", resize=(4, 6)).shape == (1, 4, 6)


def test_every_name_is_listed_and_its_place_is_where_all_its_files_are(places):
    assert [entry.name for entry in datasets()] == sorted(named.NAMES)
    assert [entry.place for entry in datasets()] == ["comes with scikit-learn", None, None, None]
    folder = places / "data" / "mnist"
    folder.mkdir()
    for file in named.MNIST.files:
        assert datasets()[-1].place is None
        (folder / file.name).touch()
    assert datasets()[-1].place == str(folder)


def test_data_is_listed_opened_and_split_without_torch(tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((30, 4)))
    code = (
        "import sys, lowerbound.data as d; d.datasets(); x = d.open_data(sys.argv[1]); d.split(x, seed=0); "
        "d.recommend_likelihood(x); x.describe(); sys.exit('torch' in sys.modules)"
    )
    assert run([sys.executable, "-c", code, tmp_path / "x.npy"], check=False).returncode == 0
