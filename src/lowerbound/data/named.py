"""Data sets that have a name."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np
import pooch

from lowerbound.data.dataset import Dataset
from lowerbound.data.downloads import VARIABLE, data_directory, fetch, find
from lowerbound.data.idx import header_of, opened_idx
from lowerbound.data.numpy_files import read_npy
from lowerbound.errors import UserError


class NamedDataset(NamedTuple):
    """A data set that the command line knows by its name."""

    name: str
    title: str
    contents: str
    """What is in it, in words."""
    reference: str
    place: str | None
    """Where it was found; None: nowhere yet."""


class IdxFile(NamedTuple):
    """One of the files of a collection."""

    name: str
    shape: tuple[int, ...]
    packed: str
    """SHA-256 of the gzip'd file, as the mirrors have it."""
    content: str | None = None
    """SHA-256 of what is in it; where it is not known, a file must be the mirrors' own."""


class IdxCollection(NamedTuple):
    """Images with labels, in the four files that MNIST came in."""

    name: str
    mirrors: tuple[str, ...]
    train: IdxFile
    train_labels: IdxFile
    test: IdxFile
    test_labels: IdxFile
    label_names: tuple[str, ...] | None = None

    @property
    def files(self) -> tuple[IdxFile, ...]:
        """All four."""
        return self.train, self.train_labels, self.test, self.test_labels


class Array(NamedTuple):
    """A `.npy` file that cannot be downloaded."""

    name: str
    file: str
    shape: tuple[int, ...]
    content: str
    """SHA-256 of the values."""


MNIST = IdxCollection(
    "mnist",
    ("https://ossci-datasets.s3.amazonaws.com/mnist", "https://storage.googleapis.com/cvdf-datasets/mnist"),
    IdxFile(
        "train-images-idx3-ubyte.gz",
        (60_000, 28, 28),
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    IdxFile(
        "train-labels-idx1-ubyte.gz",
        (60_000,),
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    IdxFile(
        "t10k-images-idx3-ubyte.gz",
        (10_000, 28, 28),
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    IdxFile(
        "t10k-labels-idx1-ubyte.gz",
        (10_000,),
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
)
FASHION_MNIST = IdxCollection(
    "fashion-mnist",
    (
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
    ),
    IdxFile(
        "train-images-idx3-ubyte.gz",
        (60_000, 28, 28),
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    ),
    IdxFile(
        "train-labels-idx1-ubyte.gz",
        (60_000,),
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    ),
    IdxFile(
        "t10k-images-idx3-ubyte.gz",
        (10_000, 28, 28),
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    ),
    IdxFile(
        "t10k-labels-idx1-ubyte.gz",
        (10_000,),
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    ),
    ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"),
)
FREY_FACES = Array(
    "frey-faces",
    "frey_faces.npy.gz",
    (1965, 28, 20),
    "2438ba4f0d2a6bd8bac43de756141eaa33c8d248dd613d464bdb1210d9b7af78",
)
NAMES = ("digits", "fashion-mnist", "frey-faces", "mnist")


def datasets() -> tuple[NamedDataset, ...]:
    """Every data set that has a name, in order of name; nothing is read or downloaded."""
    return (
        NamedDataset(
            "digits",
            "Handwritten digits of the UCI repository",
            "1,797 images of 8 × 8, grey, 17 levels, 10 classes",
            "Alpaydin and Kaynak, Optical recognition of handwritten digits, 1998",
            "comes with scikit-learn",
        ),
        NamedDataset(
            "fashion-mnist",
            "Photographs of clothes",
            "70,000 images of 28 × 28, grey, 8-bit, 10 classes; the last 10,000 are its test set",
            "Xiao, Rasul and Vollgraf, Fashion-MNIST, 2017",
            _place(FASHION_MNIST.name, [file.name for file in FASHION_MNIST.files]),
        ),
        NamedDataset(
            "frey-faces",
            "One face in the consecutive frames of a video",
            "1,965 images of 28 × 20, grey, 8-bit",
            "Roweis and Frey; as in Kingma and Welling, Auto-encoding variational Bayes, 2013, figure 4",
            _place(FREY_FACES.name, [FREY_FACES.file]),
        ),
        NamedDataset(
            "mnist",
            "Handwritten digits",
            "70,000 images of 28 × 28, grey, 8-bit, 10 classes; the last 10,000 are its test set",
            "LeCun, Bottou, Bengio and Haffner, Gradient-based learning applied to document recognition, 1998",
            _place(MNIST.name, [file.name for file in MNIST.files]),
        ),
    )


def open_named(name: str) -> Dataset:
    """The data set of that name, one of `NAMES`; what is not found and can be downloaded is downloaded.

    Raises:
        UserError: It is not found and cannot be fetched, or its files are not what they should be.
    """
    match name:
        case "digits":
            return open_digits()
        case "mnist":
            return open_collection(MNIST)
        case "fashion-mnist":
            return open_collection(FASHION_MNIST)
        case _:
            return open_frey_faces(FREY_FACES)


def open_digits() -> Dataset:
    """The 8 × 8 digits that are embedded in scikit-learn, counts of ink from 0 to 16."""
    from sklearn.datasets import load_digits  # a second, and most data is something else

    bunch = load_digits()
    return Dataset("digits", "image", bunch.images.astype(np.uint8)[:, None], 16, bunch.target.astype(np.int64))  # pyright: ignore[reportAttributeAccessIssue]


def open_collection(collection: IdxCollection) -> Dataset:
    """Training images, then test images, read straight into one array.

    Raises:
        UserError: A file is not found and cannot be fetched, or is not what it should be.
    """
    counts = collection.train.shape[0], collection.test.shape[0]
    images = np.empty((sum(counts), *collection.train.shape[1:]), np.uint8)
    labels = np.empty(sum(counts), np.uint8)
    _read_into(images[: counts[0]], collection, collection.train)
    _read_into(labels[: counts[0]], collection, collection.train_labels)
    _read_into(images[counts[0] :], collection, collection.test)
    _read_into(labels[counts[0] :], collection, collection.test_labels)
    return Dataset(
        collection.name,
        "image",
        images[:, None],
        255,
        labels.astype(np.int64),
        collection.label_names,
        test_start=counts[0],
        notes=(f"The last {counts[1]:,} images are the source's own test set.",),
    )


def open_frey_faces(array: Array) -> Dataset:
    """The frames of the video, in their order.

    Raises:
        UserError: The file is not found, or is not what it should be.
    """
    path = find(array.name, array.file)
    if path is None:
        raise UserError(
            f"{array.file} is not to be downloaded, and was not found: put it into {data_directory() / array.name}, or "
            f"let the environment variable {VARIABLE} name the directory that has {array.name}/{array.file}."
        )
    values = read_npy(path)
    if values.dtype != np.uint8 or values.shape != array.shape or _sha256(values) != array.content:
        shape = " × ".join(map(str, array.shape))
        raise UserError(
            f"{path} is not the array of {shape} bytes that is known as {array.name}: remove or replace it."
        )
    note = "The images are frames of a video: a random split puts neighbours of the test frames into the training set."
    return Dataset(array.name, "image", values[:, None], 255, split_counts=(200, 200), notes=(note,))


def _read_into(out: np.ndarray, collection: IdxCollection, file: IdxFile) -> None:
    path = fetch(collection.name, file.name, file.packed, collection.mirrors)
    with opened_idx(path) as idx:
        right = idx.dtype == np.uint8 and idx.shape == file.shape
        if right:
            idx.fill(out)
    if right and file.content is not None:
        right = _sha256(out, header_of(out)) == file.content
    elif right:
        right = pooch.file_hash(str(path), "sha256") == file.packed
    if not right:
        raise UserError(
            f"{path} is not the file {file.name} of {collection.name}, its content differs: remove or replace it."
        )


def _sha256(values: np.ndarray, before: bytes = b"") -> str:
    digest = hashlib.sha256(before)
    digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()


def _place(folder: str, files: list[str]) -> str | None:
    """Where the first file is, if all are somewhere."""
    places = [find(folder, file) for file in files]
    return str(places[0].parent) if places[0] is not None and None not in places else None
