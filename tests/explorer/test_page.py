"""The page in a browser, with every connection beyond this machine refused."""

import io
import json

import numpy as np
import pytest
from PIL import Image

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True}
# What 200 % of zoom leaves of a window of 1280 pixels.
ZOOMED = {"viewport": {"width": 640, "height": 450}, "device_scale_factor": 2}


def pixels(page, selector):
    """The colours of a canvas, as one text."""
    return page.locator(f"{selector} canvas").first.evaluate("(canvas) => canvas.toDataURL()")


def until_changed(page, selector, before):
    page.wait_for_function(
        "([selector, before]) => document.querySelector(`${selector} canvas`)?.toDataURL() !== before",
        arg=[selector, before],
    )
    return pixels(page, selector)


def drag(page, start, end):
    """Drag over the map between two places, given as shares of its width and height."""
    page.locator("#map").scroll_into_view_if_needed()
    box = page.locator("#map").bounding_box()
    at = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)]
    page.mouse.move(*at[0])
    page.mouse.down()
    page.mouse.move(*at[1], steps=12)
    page.mouse.up()


def test_dragging_over_the_map_decodes_another_picture(visit, explorer):
    page = visit(explorer)
    before, frames = pixels(page, "#picture"), int(page.locator("#picture").get_attribute("data-frame"))
    drag(page, (0.3, 0.3), (0.8, 0.7))
    until_changed(page, "#picture", before)
    page.wait_for_timeout(200)
    assert int(page.locator("#picture").get_attribute("data-frame")) > frames + 1


def test_a_slider_moves_the_picture_and_its_number(visit, explorer):
    page = visit(explorer)
    before, slider = pixels(page, "#picture"), page.locator("#sliders input").first
    shown = page.locator("#sliders output").first.inner_text()
    slider.focus()
    for _ in range(60):
        page.keyboard.press("ArrowRight")
    until_changed(page, "#picture", before)
    assert page.locator("#sliders output").first.inner_text() != shown


def test_the_keys_move_the_cursor_and_look_at_the_nearest_datum(visit, explorer):
    page = visit(explorer)
    page.locator("#map").focus()
    before = pixels(page, "#picture")
    page.keyboard.press("Shift+ArrowUp")
    until_changed(page, "#picture", before)
    page.keyboard.press("Enter")
    page.wait_for_selector("#scores:not([hidden])")
    assert page.locator("#reading-text").inner_text().startswith("row ")
    assert "nats" in page.locator("#score-text").inner_text()


def test_hovering_over_a_point_shows_its_datum(visit, explorer):
    page = visit(explorer)
    box = page.locator("#map").bounding_box()
    for share in np.linspace(0.2, 0.8, 60):
        page.mouse.move(box["x"] + share * box["width"], box["y"] + 0.5 * box["height"])
        if page.locator("#tip").is_visible():
            break
    page.wait_for_selector("#tip:not([hidden])", timeout=3000)
    assert page.locator("#tip-text").inner_text().startswith("row ")


def test_an_image_is_dropped_and_reconstructed(visit, explorer):
    """Of another size, in colour, with its black and white exchanged."""
    page = visit(explorer)
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 60, 3)).astype(np.uint8)).save(file, "PNG")
    page.locator("#invert").check()
    data = page.evaluate_handle(
        """(bytes) => {
          const data = new DataTransfer();
          data.items.add(new File([Uint8Array.from(bytes)], "one.png", { type: "image/png" }));
          return data;
        }""",
        list(file.getvalue()),
    )
    page.dispatch_event("#drop", "drop", {"dataTransfer": data})
    page.wait_for_selector("#scores:not([hidden])")
    assert (
        "40 × 60 pixels, cut and brought to 8 × 8, black and white exchanged"
        in page.locator("#reading-text").inner_text()
    )
    assert pixels(page, "#again") != pixels(page, "#original")
    page.wait_for_function(
        """() => document.querySelector('#picture canvas').toDataURL()
            === document.querySelector('#again canvas').toDataURL()"""
    )


def test_a_drawing_is_looked_at(visit, explorer):
    page = visit(explorer)
    page.locator("#sketch").scroll_into_view_if_needed()
    box = page.locator("#sketch").bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 160, box["y"] + 200, steps=8)
    page.mouse.up()
    page.locator("#look-sketch").click()
    page.wait_for_selector("#scores:not([hidden])")
    lit = page.locator("#original canvas").evaluate(
        "(c) => c.getContext('2d').getImageData(0, 0, 8, 8).data.filter((v, i) => i % 4 === 0 && v > 200).length"
    )
    assert 3 <= lit <= 30


def test_a_drawing_is_made_with_the_keys(visit, explorer):
    page = visit(explorer)
    page.locator("#sketch").focus()
    page.keyboard.press("Space")
    for _ in range(8):
        page.keyboard.press("ArrowDown")
    assert "The pen is down" in page.locator("#sketch-help").inner_text()
    page.locator("#look-sketch").click()
    page.wait_for_selector("#reading:not([hidden])")
    assert page.locator("#original canvas").evaluate(
        "(c) => c.getContext('2d').getImageData(0, 0, 8, 8).data.some((v, i) => i % 4 === 0 && v > 200)"
    )


def test_an_interpolation_goes_from_one_clicked_point_to_another(visit, explorer):
    page = visit(explorer)
    page.locator("#pick").click()
    page.locator("#map").scroll_into_view_if_needed()
    box = page.locator("#map").bounding_box()
    for x, y in ((0.15, 0.2), (0.9, 0.8)):
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
        page.wait_for_timeout(300)
    page.wait_for_selector("#path:not([hidden])")
    strip = page.locator("#strip canvas").evaluate_all("(all) => all.map((canvas) => canvas.toDataURL())")
    assert len(strip) == 9
    assert len(set(strip)) > 5
    page.locator("#strip button").last.click()
    page.wait_for_function("(last) => document.querySelector('#picture canvas').toDataURL() === last", arg=strip[-1])


def test_the_scrubber_steps_through_a_draw(visit, draw_explorer):
    page = visit(draw_explorer)
    page.wait_for_function("() => document.querySelector('#windows').dataset.window")
    seen, windows = set(), set()
    step = page.locator("#step")
    step.focus()
    page.keyboard.press("Home")
    for number in range(1, 5):
        page.wait_for_function("(n) => document.querySelector('#step-text').textContent === `${n} of 4`", arg=number)
        seen.add(pixels(page, "#canvas-of-step"))
        windows.add(page.locator("#windows").get_attribute("data-window"))
        page.keyboard.press("ArrowRight")
    assert len(seen) == 4
    assert all(len(json.loads(window)) == 4 for window in windows)
    last = pixels(page, "#canvas-of-step")
    assert last == pixels(page, "#picture")


def test_the_painting_of_a_datum_shows_where_it_was_read(visit, draw_explorer):
    page = visit(draw_explorer)
    page.locator("#map").focus()
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('#windows-help').textContent.includes('where it read')")


def test_downloads_are_what_is_seen(visit, explorer, tmp_path):
    page = visit(explorer)
    page.locator("#downloads summary").click()
    files = {}
    for button in ("save-png", "save-map", "save-json", "save-npz"):
        with page.expect_download() as download:
            page.locator(f"#{button}").click()
        files[button] = tmp_path / download.value.suggested_filename
        download.value.save_as(files[button])
    code = np.array(json.loads(files["save-json"].read_text())["z"])
    assert np.allclose(np.load(files["save-npz"])["z"], code)
    picture = np.asarray(Image.open(files["save-png"]).convert("L"))
    assert picture.shape == (512, 512)
    assert picture.std() > 10
    assert np.asarray(Image.open(files["save-map"]).convert("L")).std() > 5


def test_names_from_the_data_are_text_and_a_row_is_a_table(visit, table_explorer):
    page = visit(table_explorer)
    assert page.locator("#picture th").all_inner_texts() == ["<script>window.harmed=1</script>", "<b>bold</b>"]
    page.locator("#values").fill("0.5, -1")
    page.locator("#bring-row button").click()
    page.wait_for_selector("#scores:not([hidden])")
    assert page.locator("#original td.number").all_inner_texts() == ["0.5", "−1"]
    assert page.evaluate("window.harmed") is None
    before = page.locator("#picture td.number").all_inner_texts()
    drag(page, (0.3, 0.3), (0.7, 0.8))
    page.wait_for_function(
        "(before) => document.querySelector('#picture td.number').textContent !== before", arg=before[0]
    )


def test_what_the_model_refuses_is_said_on_the_page(visit, table_explorer):
    page = visit(table_explorer)
    page.locator("#values").fill("1, 2, 3")
    page.locator("#bring-row button").click()
    page.wait_for_selector("#trouble:not([hidden])")
    assert "2 numbers, and 3 were given" in page.locator("#trouble").inner_text()
    (fault,) = visit.faults
    assert "422" in fault
    visit.faults.clear()


@pytest.mark.parametrize("options", [PHONE, ZOOMED], ids=["phone", "zoom"])
def test_nothing_is_wider_than_a_narrow_window(visit, explorer, draw_explorer, table_explorer, options):
    for address in (explorer, draw_explorer, table_explorer):
        page = visit(address, **options)
        page.locator("#map").focus()
        page.keyboard.press("a")
        page.keyboard.press("Shift+ArrowUp")
        page.keyboard.press("b")
        page.keyboard.press("Enter")
        page.wait_for_selector("#scores:not([hidden])")
        page.wait_for_selector("#path:not([hidden])")
        assert page.evaluate("document.documentElement.scrollWidth") <= options["viewport"]["width"]
        # A finger needs something to touch.
        smallest = page.locator("button:visible").evaluate_all("(all) => Math.min(...all.map((b) => b.offsetHeight))")
        assert smallest >= 28


def test_every_control_has_a_name(visit, draw_explorer):
    page = visit(draw_explorer)
    nameless = page.locator("button, input, select, textarea, [role]").evaluate_all(
        """(all) => all.filter((one) => !(one.getAttribute("aria-label") || one.getAttribute("aria-labelledby")
            || one.labels?.length || one.textContent.trim() || one.type === "hidden")).map((one) => one.outerHTML)"""
    )
    assert [one for one in nameless if 'role="alert"' not in one] == []
