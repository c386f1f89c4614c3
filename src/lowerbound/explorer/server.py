"""The routes: the page, its files, and questions to the desk, answered in JSON.

    GET  /                    the page
    GET  /static/NAME         one of its files
    GET  /api/facts           what the model and its data are
    GET  /api/plane?x=&y=     the data in a plane through the latent space
    GET  /api/data/N          a datum of the map
    POST /api/decode          {"codes": [[…], …]}, and a "label" for a model that is told one → pictures
    POST /api/draw            {"seed": 1} → a code from the prior
    POST /api/read            a subject → its posterior and reconstruction
    POST /api/score           a subject → its log-likelihood among those of the data
    POST /api/paint           a subject or {"code": […]} → the steps of a DRAW
    POST /api/codes.npz       {"codes": …} → the codes as a file

A subject is an image file, or {"number": N} for a datum of the map, or {"values": […]} for a row of numbers. What is
wrong with a request is said in one sentence, {"error": "…"}.
"""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import resources
from typing import Annotated, Any, TypeVar

import numpy as np
from pydantic import Field, FiniteFloat, TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lowerbound.errors import UserError
from lowerbound.explorer.atlas import Atlas
from lowerbound.explorer.desk import Desk, Subject
from lowerbound.explorer.guard import Guard

T = TypeVar("T")

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_SENTENCES = {
    404: "There is nothing at this address: the explorer's page is at /.",
    405: "This address does not take requests of that kind.",
}
Code = list[FiniteFloat]


@dataclass(frozen=True)
class _Codes:
    codes: Annotated[list[Code], Field(min_length=1, max_length=64)]
    label: int | None = None


@dataclass(frozen=True)
class _Seed:
    seed: Annotated[int, Field(ge=0, lt=2**31)]


@dataclass(frozen=True)
class _Question:
    """One of the first three, and what a model is told that is told labels."""

    number: int | None = None
    values: list[FiniteFloat] | None = None
    code: Code | None = None
    label: int | None = None


def application(atlas: Atlas, host: str = "127.0.0.1") -> Starlette:
    """The explorer of a model, as an ASGI application.

    Args:
        atlas: The model and its data.
        host: The address that it is served on, which Host headers must name.
    """
    desk = Desk(atlas)
    routes = _Routes(desk)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        desk.open()
        yield
        await desk.close()

    questions: dict[str, Callable[[Request], Awaitable[Response]]] = {
        "decode": routes.decode,
        "draw": routes.draw,
        "read": routes.read,
        "score": routes.score,
        "paint": routes.paint,
        "codes.npz": routes.codes,
    }
    return Starlette(
        routes=[
            Route("/", routes.page, methods=["GET"]),
            Route("/static/{name}", routes.file, methods=["GET"]),
            Route("/api/facts", routes.facts, methods=["GET"]),
            Route("/api/plane", routes.plane, methods=["GET"]),
            Route("/api/data/{number:int}", routes.datum, methods=["GET"]),
            *(Route(f"/api/{name}", answer, methods=["POST"]) for name, answer in questions.items()),
        ],
        middleware=[Middleware(Guard, host=host)],
        exception_handlers={HTTPException: _refused, UserError: _wrong},
        lifespan=lifespan,
    )


class _Routes:
    """What each address answers."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        # Read once: a path from outside is looked up among these names, and never opened.
        self.files = {
            entry.name: (entry.read_bytes(), _TYPES["." + entry.name.rpartition(".")[2]])
            for entry in (resources.files("lowerbound.explorer") / "static").iterdir()
        }

    async def page(self, _: Request) -> Response:
        content, kind = self.files["index.html"]
        return Response(content, media_type=kind)

    async def file(self, request: Request) -> Response:
        found = self.files.get(request.path_params["name"])
        if found is None:
            raise HTTPException(404)
        return Response(found[0], media_type=found[1])

    async def facts(self, _: Request) -> Response:
        return JSONResponse(self.desk.atlas.facts())

    async def plane(self, request: Request) -> Response:
        plane = self.desk.atlas.plane(request.query_params.get("x", ""), request.query_params.get("y", ""))
        return JSONResponse(
            {
                "names": plane.names,
                "directions": plane.directions.tolist(),
                "centre": plane.centre.tolist(),
                "points": np.round(plane.points, 5).tolist(),
            }
        )

    async def datum(self, request: Request) -> Response:
        subject = self.desk.datum(request.path_params["number"])
        return JSONResponse({"picture": self.desk.atlas.display.show(subject.stored.astype(np.float32))[0]})

    async def decode(self, request: Request) -> Response:
        wanted = await _body(request, _Codes)
        codes = self.desk.check(wanted.codes)
        answer: dict[str, Any] = {"pictures": await self.desk.decode(codes, wanted.label)}
        if self.desk.atlas.place.kind != "real":
            answer["codes"] = codes.tolist()
        return JSONResponse(answer)

    async def draw(self, request: Request) -> Response:
        return JSONResponse({"code": await self.desk.draw((await _body(request, _Seed)).seed)})

    async def read(self, request: Request) -> Response:
        return JSONResponse(await self.desk.read(await self._subject(request)))

    async def score(self, request: Request) -> Response:
        return JSONResponse(await self.desk.score(await self._subject(request)))

    async def paint(self, request: Request) -> Response:
        if _is_json(request):
            question = await _body(request, _Question)
            if question.code is not None:
                return JSONResponse(await self.desk.paint(self.desk.check([question.code]), question.label))
        return JSONResponse(await self.desk.repaint(await self._subject(request)))

    async def codes(self, request: Request) -> Response:
        codes = self.desk.check((await _body(request, _Codes)).codes)
        file = io.BytesIO()
        np.savez(file, allow_pickle=False, z=codes)  # pyright: ignore[reportArgumentType]
        headers = {"Content-Disposition": 'attachment; filename="codes.npz"'}
        return Response(file.getvalue(), media_type="application/octet-stream", headers=headers)

    async def _subject(self, request: Request) -> Subject:
        if not _is_json(request):
            invert, label = request.query_params.get("invert") == "1", request.query_params.get("label", "")
            told = self.desk.told(int(label) if label.isdecimal() and len(label) < 10 else None)
            stored, note = self.desk.atlas.display.read_image(await request.body(), invert=invert)
            return Subject(stored, told, note)
        question = await _body(request, _Question)
        if question.number is not None:
            return self.desk.datum(question.number)
        if question.values is not None:
            return Subject(self.desk.atlas.display.read_values(question.values), self.desk.told(question.label))
        raise UserError("There is nothing to look at: send an image, the number of a datum, or the values of a row.")


def _is_json(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip() == "application/json"


async def _body(request: Request, form: type[T]) -> T:
    """A request's JSON in a form.

    Raises:
        HTTPException: It is said to be something else, which another page could send without asking.
        UserError: It is no such JSON.
    """
    if not _is_json(request):
        raise HTTPException(415, "This address takes JSON, with the content type application/json.")
    data = await request.body()
    try:
        return TypeAdapter(form).validate_json(data, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the body"
        raise UserError(f"The request cannot be read: at {where[:100]}, {first['msg'].rstrip('.')}.") from None


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    standard = error.detail == HTTPException(error.status_code).detail
    sentence = _SENTENCES.get(error.status_code, f"{error.detail}.") if standard else error.detail
    return JSONResponse({"error": sentence}, error.status_code, headers=error.headers)


async def _wrong(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 422)
