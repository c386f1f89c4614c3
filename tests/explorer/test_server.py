"""What the server answers, what it refuses, and that it lives on."""

import http.client
import io
import json
import struct
import threading
import zlib
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from lowerbound.errors import UserError
from lowerbound.explorer import listen
from lowerbound.explorer.display import Display
from lowerbound.explorer.guard import MOST_BYTES, Guard
from lowerbound.explorer.places import Place

JSON = {"Content-Type": "application/json"}


def ask(address, method, path, body=None, headers=None, *, host=None):
    """(status, headers, body) of a request as it is written, whatever a browser would make of it."""
    where = urlsplit(address)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=60)
    connection.putrequest(method, path, skip_host=host is not None)
    if host is not None:
        connection.putheader("Host", host)
    for name, value in (headers or {}).items():
        connection.putheader(name, value)
    if body is not None:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders()
    if body is not None:
        connection.send(body)
    response = connection.getresponse()
    answer = response.status, response.headers, response.read()
    connection.close()
    return answer


def post(address, path, body):
    status, _, answer = ask(address, "POST", path, json.dumps(body).encode(), JSON)
    return status, json.loads(answer)


def refused(answer, *statuses):
    """The sentence of a refusal."""
    status, _, body = answer
    assert status in statuses, body
    sentence = json.loads(body)["error"]
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert "Traceback" not in sentence
    return sentence


def decoded(address, code):
    status, answer = post(address, "/api/decode", {"codes": [code]})
    assert status == 200, answer
    return answer["pictures"][0]


def png(image):
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def test_decoding_gives_the_models_own_means(explorer, small_atlas):
    codes = [[0.3, -1.2], [2.0, 0.1]]
    status, answer = post(explorer, "/api/decode", {"codes": codes})
    assert status == 200
    means = small_atlas.trained.decode(np.array(codes, np.float32))
    assert answer["pictures"] == small_atlas.display.show(means)


def test_the_points_of_the_map_are_the_codes_of_the_data(explorer, small_atlas):
    facts = json.loads(ask(explorer, "GET", "/api/facts")[2])
    x, y = facts["axes"]
    plane = json.loads(ask(explorer, "GET", f"/api/plane?x={x}&y={y}")[2])
    entry = {one["name"]: one["start"] for one in facts["dimensions"]}
    assert np.allclose(plane["points"], small_atlas.codes[:, [entry[x], entry[y]]], atol=1e-4)
    uses = [one["use"] for one in facts["dimensions"]]
    assert uses == sorted(uses, reverse=True)


def test_reading_an_image_of_a_datum_gives_its_code_and_reconstruction(explorer, small_atlas):
    """The image of a datum, as a file on the scale of bytes, is that datum again."""
    stored = small_atlas.stored[3:4]
    image = png(Image.fromarray((stored[0, 0] * (255 / 16)).round().astype(np.uint8)))
    by_file = json.loads(ask(explorer, "POST", "/api/read", image, {"Content-Type": "image/png"})[2])
    by_number = post(explorer, "/api/read", {"number": 3})[1]
    assert np.allclose(by_file["code"], small_atlas.codes[3], atol=1e-5)
    assert by_file["picture"] == by_number["picture"]
    assert by_number["reconstruction"] == small_atlas.display.show(small_atlas.trained.reconstruct(stored))[0]
    assert all(sd > 0 for sd in by_number["spread"])


def test_a_score_is_the_log_likelihood_and_its_place_among_those_of_the_data(explorer, small_atlas):
    status, answer = post(explorer, "/api/score", {"number": 5})
    assert status == 200
    exact = small_atlas.trained.score(small_atlas.stored[5:6], answer["particles"]).log_likelihood[0]
    assert answer["score"] == pytest.approx(exact, abs=1e-3)
    assert answer["compared"] == len(small_atlas.stored) == sum(answer["counts"])
    noise = png(Image.fromarray(np.random.default_rng(0).integers(0, 255, (8, 8)).astype(np.uint8)))
    odd = json.loads(ask(explorer, "POST", "/api/score", noise, {"Content-Type": "image/png"})[2])
    assert odd["below"] < 0.05


def test_a_draw_paints_a_code_up_to_the_decoded_mean(draw_explorer):
    facts = json.loads(ask(draw_explorer, "GET", "/api/facts")[2])
    assert facts["steps"] == 4
    code = np.random.default_rng(0).normal(size=len(facts["centre"])).tolist()
    status, painted = post(draw_explorer, "/api/paint", {"code": code})
    assert status == 200
    assert len(painted["pictures"]) == len(painted["write"]) == 4
    assert painted["pictures"][-1] == decoded(draw_explorer, code)
    assert painted["read"] is None
    again = post(draw_explorer, "/api/paint", {"number": 0})[1]
    assert len(again["read"]) == 4


def test_other_models_have_no_steps(explorer):
    assert "only a DRAW" in post(explorer, "/api/paint", {"code": [0, 0]})[1]["error"]


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "[::2]:1", "", "10.0.0.1"]
)
def test_a_foreign_host_is_refused(explorer, host):
    refused(ask(explorer, "GET", "/", host=host), 421)


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://127.0.0.1", "http://127.0.0.1:1", "http://localhost"]
)
def test_a_foreign_origin_is_refused(explorer, origin):
    refused(ask(explorer, "POST", "/api/draw", b'{"seed": 1}', {**JSON, "Origin": origin}), 403)


def test_the_own_origin_is_welcome_by_every_name_of_this_machine(explorer):
    port = urlsplit(explorer).port
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", "LOCALHOST", f"[::1]:{port}"):
        headers = {**JSON, "Origin": f"http://{host}"}
        assert ask(explorer, "POST", "/api/draw", b'{"seed": 1}', headers, host=host)[0] == 200


def test_told_to_serve_others_it_answers_to_addresses_and_not_to_names():
    guard = Guard(None, "0.0.0.0")
    assert guard._own("192.168.1.7:8008")
    assert guard._own("[fe80::1]:8008")
    assert not guard._own("evil.example:8008")


NOT_CODES = {
    "nan": b'{"codes": [[NaN, 0]]}',
    "infinity": b'{"codes": [[1e999, 0]]}',
    "beyond float32": b'{"codes": [[1e300, 0]]}',
    "too short": b'{"codes": [[1]]}',
    "too long": b'{"codes": [[1, 2, 3]]}',
    "none": b'{"codes": []}',
    "too many": json.dumps({"codes": [[0, 0]] * 65}).encode(),
    "words": b'{"codes": [["1", "2"]]}',
    "truth": b'{"codes": [[true, false]]}',
    "null": b'{"codes": null}',
    "no object": b"[]",
    "nothing": b"",
    "no JSON": b"{codes",
    "no text": bytes(range(256)),
    "deep": b"[" * 200_000,
    "a long number": b'{"codes": [[' + b"9" * 6000 + b", 0]]}",
    "a label": b'{"codes": [[0, 0]], "label": "x"}',
}


@pytest.mark.parametrize("body", NOT_CODES.values(), ids=NOT_CODES)
def test_what_is_no_code_gets_one_sentence(explorer, body):
    refused(ask(explorer, "POST", "/api/decode", body, JSON), 422)
    decoded(explorer, [0.0, 0.0])


def test_codes_far_from_everything_do_not_stop_the_server(explorer):
    status, answer = post(explorer, "/api/decode", {"codes": [[3e38, -3e38]]})
    assert status in (200, 422), answer
    decoded(explorer, [0.0, 0.0])


def test_json_must_be_said_to_be_json(explorer):
    """A form of another page could send such a body without being asked for permission, but not this type."""
    refused(ask(explorer, "POST", "/api/decode", b'{"codes": [[0, 0]]}', {"Content-Type": "text/plain"}), 415)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(width, height):
    """A PNG of a few kilobytes that says it has so many pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(bytes(1_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


NOT_IMAGES = {
    "empty": b"",
    "no image": b"hello",
    "truncated": png(Image.new("L", (90, 90), 7))[:60],
    "a bomb": bomb(60_000, 60_000),
    "a smaller bomb": bomb(7_000, 7_000),
    "a text bomb": b"\x89PNG\r\n\x1a\n"
    + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0))
    + chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(80_000_000), 9)),
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
}


@pytest.mark.parametrize("body", NOT_IMAGES.values(), ids=NOT_IMAGES)
def test_what_is_no_image_gets_one_sentence(explorer, body):
    for path in ("/api/read", "/api/score"):
        refused(ask(explorer, "POST", path, body, {"Content-Type": "image/png"}), 422)
    decoded(explorer, [0.0, 0.0])


def test_bodies_that_are_too_large_are_refused(explorer):
    sentence = refused(ask(explorer, "POST", "/api/read", bytes(MOST_BYTES + 1), {"Content-Type": "image/png"}), 413)
    assert "10 MB" in sentence
    refused(ask(explorer, "POST", "/api/decode", b" " * (MOST_BYTES + 1), JSON), 413)
    decoded(explorer, [0.0, 0.0])


def test_a_body_that_never_says_its_length_is_counted_all_the_same(explorer):
    where = urlsplit(explorer)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=60)
    pieces = (bytes(1_000_000) for _ in range(12))
    connection.request("POST", "/api/read", pieces, {"Content-Type": "image/png"}, encode_chunked=True)
    response = connection.getresponse()
    assert response.status == 413
    decoded(explorer, [0.0, 0.0])


@pytest.mark.parametrize(
    "path",
    [
        "/nope",
        "/static/",
        "/static/nope.js",
        "/static/../server.py",
        "/static/..%2fserver.py",
        "/static/%2e%2e/%2e%2e/run.py",
        "/static//etc/passwd",
        "/static/..\\server.py",
        "//etc/passwd",
        "/api/data/x",
        "/api/data/-1",
        "/%00",
    ],
)
def test_unknown_addresses_get_one_sentence(explorer, path):
    refused(ask(explorer, "GET", path), 404)


def test_a_datum_or_an_axis_that_there_is_not_gets_one_sentence(explorer):
    refused(ask(explorer, "GET", "/api/data/99999999999999999999"), 422)
    refused(ask(explorer, "GET", "/api/plane?x=z1&y=z9"), 422)
    refused(ask(explorer, "GET", "/api/plane"), 422)
    assert "must differ" in refused(ask(explorer, "GET", "/api/plane?x=z1&y=z1"), 422)
    refused(ask(explorer, "DELETE", "/api/decode"), 405)


def test_every_answer_tells_the_browser_what_to_refuse(explorer):
    for answer in (ask(explorer, "GET", "/"), ask(explorer, "GET", "/nope"), ask(explorer, "GET", "/", host="a.b")):
        policy = answer[1]["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer[1]["X-Content-Type-Options"] == "nosniff"
        assert "Access-Control-Allow-Origin" not in answer[1]


def test_the_page_loads_nothing_from_elsewhere(explorer):
    page = ask(explorer, "GET", "/")[2].decode()
    assert "//" not in page.replace("<!doctype html>", "")
    assert "style=" not in page
    assert "<script>" not in page


def test_fifty_clients_drag_at_once(explorer):
    """Each one after the other as fast as they are answered, and each gets the picture of its own code."""
    alone = {i: decoded(explorer, [i / 25 - 1, 0.5]) for i in range(50)}
    faults = []

    def drag(i):
        try:
            for _ in range(10):
                if decoded(explorer, [i / 25 - 1, 0.5]) != alone[i]:
                    faults.append(i)
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=drag, args=(i,)) for i in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []


def test_clients_that_leave_in_the_middle_harm_nobody(explorer):
    where = urlsplit(explorer)
    for _ in range(20):
        connection = http.client.HTTPConnection(where.hostname, where.port)
        connection.request("POST", "/api/score", json.dumps({"number": 1}), JSON)
        connection.close()
    decoded(explorer, [0.0, 0.0])


def test_a_port_in_use_leads_to_the_next_free_one():
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with listen("127.0.0.1", port) as second:
            assert port < second.getsockname()[1] <= port + 50
    with pytest.raises(UserError, match=r"no address nowhere\.invalid"):
        listen("nowhere.invalid", 8000)


def test_the_nearest_place_of_codes():
    odd = np.array([[3.0, -4.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]], np.float32)
    assert np.array_equal(Place("real").nearest(odd), odd)
    assert np.allclose(Place("sphere").nearest(odd), [[0.6, -0.8, 0, 0], [1, 0, 0, 0]])
    assert np.allclose(Place("simplex", (2, 2)).nearest(odd), [[1, 0, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5]])
    assert np.array_equal(Place("choices", (2, 2)).nearest(odd), [[1, 0, 1, 0], [1, 0, 1, 0]])


def test_images_of_any_number_of_channels_and_real_values_are_shown():
    for channels, shown in ((1, 1), (2, 1), (3, 3), (5, 3)):
        stored = np.random.default_rng(0).normal(size=(4, channels, 6, 9)).astype(np.float32)
        display = Display.of("image", None, stored)
        assert display.channels == shown
        assert len({len(one) for one in display.show(stored)}) == 1
        again, _ = display.read_image(png(Image.new("RGB", (20, 20), (255, 0, 0))), invert=False)
        assert again.shape == (1, channels, 6, 9)
        assert again.max() == pytest.approx(stored.max(), abs=1e-5) or channels < 3
