"""Commands that take a trained model elsewhere: into the browser, and into other programs."""

from __future__ import annotations

import threading
import webbrowser
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from lowerbound.cli.shared import RunPath, load_run, open_for_run
from lowerbound.console import out
from lowerbound.errors import UserError


def explore(
    run: RunPath,
    data: Annotated[
        str | None,
        typer.Argument(metavar="[DATA]", help="Data for the map.", show_default="the run's test rows"),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen; the next free one is taken.")] = 8008,
    host: Annotated[
        str, typer.Option(help="Address to listen on; others than the default let other machines in.")
    ] = "127.0.0.1",
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")] = True,
) -> None:
    """Walk through the latent space in the browser."""
    import numpy as np

    opened, trained = load_run(run, None, picture=False)

    from lowerbound.experiment import open_source, splits_of
    from lowerbound.explorer import chart, listen, server

    if data is not None:
        dataset = open_for_run(opened, trained, data)
        rows, what = np.arange(len(dataset)), f"rows of {dataset.name}"
    else:
        dataset = open_source(opened)
        splits = splits_of(dataset, opened.config)
        held_out = len(splits.test) >= 2
        rows, what = (splits.test, "test rows") if held_out else (splits.train, "training rows")
    # First of all, for whoever asks for a port wants to hear of it at once.
    listening = listen(host, port)
    with listening:
        atlas = chart(opened, trained, dataset, rows)
        del dataset
        where = listening.getsockname()[1]
        if port not in (0, where):
            out.print(f"Port {port} is in use, {where} is free.")
        address = f"http://{f'[{host}]' if ':' in host else host}:{where}/"
        out.print(f"Map: {len(atlas.codes):,} of the {len(rows):,} {escape(what)}, {atlas.size:,} latent dimensions")
        out.print(f"Explorer: {address}  (Ctrl-C ends it)")
        if browser:
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        with suppress(KeyboardInterrupt):
            server(atlas, host).run(sockets=[listening])
    out.print("Explorer: ended.")


def export(
    run: RunPath,
    onnx: Annotated[bool, typer.Option("--onnx", help="Write encoder.onnx and decoder.onnx.")] = False,
    output: Annotated[
        Path | None, typer.Option("--out", "-o", help="Directory to write to.", show_default="RUN/onnx")
    ] = None,
) -> None:
    """Write encoder and decoder for other programs, checked against this one."""
    if not onnx:
        raise UserError("Say in which form the model shall be written: --onnx is the one that there is.")
    opened, trained = load_run(run, None, picture=False)

    from lowerbound.export import export_onnx

    for written in export_onnx(trained, output or opened.path("onnx")):
        out.print(
            f"{written.path}: {written.path.stat().st_size / 1e6:.1f} MB, {escape(written.signature)}; at most "
            f"{written.difference:.1e} from PyTorch"
        )
