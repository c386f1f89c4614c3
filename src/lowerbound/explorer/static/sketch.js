// A sheet to draw an image on, with a pointer or with the keys.

// Pixels that the longer side of the sheet has, about.
const LEAST = 280;

export class Sketch {
  #sheet = document.getElementById("sketch");
  #pen = document.getElementById("pen");
  #ground;
  /** Pixels of the sheet for each pixel of the data. */
  #times;
  #at = null;
  #down = false;
  /** Where the keys have the pen, in pixels of the sheet. */
  #key;

  constructor(facts) {
    const [, height, width] = facts.shape;
    this.#times = Math.max(1, Math.round(LEAST / Math.max(width, height)));
    Object.assign(this.#sheet, { width: width * this.#times, height: height * this.#times });
    this.#ground = facts.dark ? "#000000" : "#ffffff";
    this.#pen.value = facts.dark ? "#ffffff" : "#000000";
    document.getElementById("pen-choice").hidden = facts.channels === 1;
    this.clear();
    this.#sheet.addEventListener("pointerdown", (event) => {
      this.#sheet.setPointerCapture(event.pointerId);
      this.#at = this.#place(event);
      this.#line(this.#at);
    });
    this.#sheet.addEventListener("pointermove", (event) => {
      if (this.#at) this.#line(this.#place(event));
    });
    for (const type of ["pointerup", "pointercancel"]) this.#sheet.addEventListener(type, () => (this.#at = null));
    this.#sheet.addEventListener("keydown", (event) => this.#press(event));
    document.getElementById("clear-sketch").addEventListener("click", () => this.clear());
  }

  clear() {
    const context = this.#sheet.getContext("2d");
    context.fillStyle = this.#ground;
    context.fillRect(0, 0, this.#sheet.width, this.#sheet.height);
    this.#key = [this.#sheet.width / 2, this.#sheet.height / 2];
    this.#down = false;
  }

  /** The drawing as an image file. */
  get file() {
    return new Promise((resolve) => this.#sheet.toBlob(resolve, "image/png"));
  }

  get #width() {
    // As a digit of MNIST is written, but never so thin that it would fade between the pixels of the data.
    return Math.max(Math.max(this.#sheet.width, this.#sheet.height) / 13, 1.5 * this.#times);
  }

  #place(event) {
    const box = this.#sheet.getBoundingClientRect();
    return [
      ((event.clientX - box.left) * this.#sheet.width) / box.width,
      ((event.clientY - box.top) * this.#sheet.height) / box.height,
    ];
  }

  #line(to) {
    const context = this.#sheet.getContext("2d");
    Object.assign(context, { strokeStyle: this.#pen.value, lineWidth: this.#width, lineCap: "round", lineJoin: "round" });
    context.beginPath();
    context.moveTo(...this.#at);
    context.lineTo(to[0] + 0.01, to[1]);
    context.stroke();
    this.#at = to;
  }

  #press(event) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key === " ") {
      this.#down = !this.#down;
    } else if (event.key in steps) {
      const from = this.#key;
      const [width, height] = [this.#sheet.width, this.#sheet.height];
      this.#key = from.map((value, axis) =>
        Math.max(0, Math.min([width, height][axis], value + (steps[event.key][axis] * this.#width) / 2)));
    } else {
      return;
    }
    event.preventDefault();
    document.getElementById("sketch-help").textContent =
      `The pen is ${this.#down ? "down" : "up"}, ${Math.round((100 * this.#key[0]) / this.#sheet.width)} % from the left and `
      + `${Math.round((100 * this.#key[1]) / this.#sheet.height)} % from the top. Space lowers and lifts it.`;
    if (this.#down) {
      this.#at = this.#at ?? this.#key;
      this.#line(this.#key);
      this.#at = null;
    }
  }
}
