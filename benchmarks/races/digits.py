"""Time from `import` to a trained model of scikit-learn's digits, in a new process at every turn."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from benchmarks.racing.contender import Contender
from benchmarks.racing.course import Course
from benchmarks.racing.tables import duration, table
from benchmarks.racing.weights import model_with
from lowerbound.data import Binarise
from lowerbound.evaluation import importance_sampling

LEVELS, COMPONENTS = 16, 10


def race(course: Course) -> str:
    """Seconds from the beginning of the import to the end of the training."""
    levels, _ = load_digits(return_X_y=True)
    images = np.asarray(levels, dtype=np.uint8).reshape(-1, 1, 8, 8)
    train, test = (np.asarray(part) for part in train_test_split(images, test_size=360, random_state=0))
    epochs = course.size(100, 2)
    settings = {
        "contest": "digits",
        "shape": [1, 8, 8],
        "hidden": [200, 200],
        "latents": 10,
        "activation": "tanh",
        "particles": 1,
        "batch": 128,
        "learning_rate": 1e-3,
        "epochs": epochs,
        "components": COMPONENTS,
        "maximum": LEVELS,
        "rows": course.keep("digits", train),
        "test": course.keep("digits-test", test),
    }
    binary, grey = "binarised anew each time", "grey levels"
    entries = [
        (Contender("lowerbound", "with_lowerbound", "lowerbound", {"likelihood": "bernoulli"}), binary),
        (Contender("pythae", "with_pythae", "pythae"), binary),
        (Contender("lowerbound", "with_lowerbound", "lowerbound", {"likelihood": "discretized-logistic"}), grey),
        (Contender("scikit-learn's GaussianMixture", "with_sklearn", "scikit-learn"), f"{grey}, dequantised"),
    ]
    trained = str(course.directory / "digits-trained.npz")
    settings["trained"] = trained
    records = course.run([contender for contender, _ in entries], settings, fresh=True)
    # pythae's weights are evaluated as ours are.
    x = Binarise(LEVELS).frozen(torch.from_numpy(test), 0)
    estimate = importance_sampling(model_with(trained, settings), x)
    records[1].figures["nll"] = -estimate.log_likelihood.mean().item()
    rows = [
        [record.contender.name, what, duration(record.median), f"± {record.spread:.0%}", f"{record.figures['nll']:.1f}"]
        for record, (_, what) in zip(records, entries, strict=True)
    ]
    header = ["contender", "digits", "from import to trained", "spread", "NLL of a test image, nats"]
    title = (
        f"{len(train):,} digits of 8 × 8; the VAEs 64–200–200–10, tanh, batch 128, {epochs} epochs; the mixture of "
        f"{COMPONENTS} Gaussians. The NLLs of binary digits compare with each other, and those of grey ones do."
    )
    described = course.described([contender for contender, _ in entries])
    return f"{title}\n\n{table(header, rows)}\n\n{described}"
