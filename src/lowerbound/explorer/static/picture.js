// Data as people see it: images on a canvas, rows of numbers as a table with bars.

/** The pixels of an image of the server's, as ImageData. */
function pixels(picture, facts) {
  const [, height, width] = facts.shape;
  const bytes = Uint8Array.from(atob(picture), (letter) => letter.charCodeAt(0));
  const image = new ImageData(width, height);
  for (let i = 0, n = width * height; i < n; i++) {
    const at = i * facts.channels;
    const colour = facts.channels === 3 ? [bytes[at], bytes[at + 1], bytes[at + 2]] : [bytes[i], bytes[i], bytes[i]];
    image.data.set([...colour, 255], 4 * i);
  }
  return image;
}

/** Show a datum in an element, in place of what was there. */
export function show(element, picture, facts, title) {
  if (facts.kind === "image") {
    const [, height, width] = facts.shape;
    let canvas = element.querySelector("canvas");
    if (!canvas) {
      canvas = document.createElement("canvas");
      canvas.setAttribute("role", "img");
      element.replaceChildren(canvas);
    }
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    canvas.setAttribute("aria-label", title);
    canvas.getContext("2d").putImageData(pixels(picture, facts), 0, 0);
  } else {
    showRow(element, picture, facts, title);
  }
  element.dataset.frame = String(Number(element.dataset.frame ?? 0) + 1);
}

function showRow(element, row, facts, title) {
  let table = element.querySelector("table");
  if (!table) {
    table = document.createElement("table");
    for (const name of facts.columns) {
      const line = table.insertRow();
      const head = document.createElement("th");
      head.scope = "row";
      head.textContent = name;
      line.append(head);
      line.insertCell().className = "number";
      const bar = line.insertCell();
      bar.className = "bar";
      const box = document.createElement("div");
      box.className = "bar-box";
      box.append(document.createElement("i"));
      bar.append(box);
    }
    element.replaceChildren(table);
  }
  table.setAttribute("aria-label", title);
  row.forEach((value, i) => {
    const line = table.rows[i];
    line.cells[1].textContent = String(Number(value.toPrecision(4))).replace("-", "−");
    // In standard deviations from the mean of the data, up to three of them on each side.
    const z = Math.max(-3, Math.min(3, (value - facts.average[i]) / (facts.spread[i] || 1)));
    const bar = line.cells[2].firstElementChild.firstElementChild;
    bar.style.left = `${50 + Math.min(z, 0) * 50 / 3}%`;
    bar.style.width = `${Math.abs(z) * 50 / 3}%`;
  });
}

/** A number with so many digits after the point, and a minus as long as a plus is wide. */
export function signed(value, digits = 1) {
  return value.toFixed(digits).replace("-", "−");
}

/** A canvas enlarged to at least so many pixels, with its pixels as squares. */
export function enlarged(source, least = 512) {
  const times = Math.max(1, Math.ceil(least / Math.max(source.width, source.height)));
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: source.width * times, height: source.height * times });
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  return canvas;
}
