// For a DRAW: the picture after each step, and the windows that it looked and wrote through.

import { ask, Newest } from "./api.js";
import { READS, WRITES } from "./colours.js";
import { show } from "./picture.js";

// Milliseconds of a step while it plays, and of rest after which a new code is painted.
const TICK = 120, REST = 150;

export class Scrubber {
  #facts;
  #state;
  #newest;
  #painted = null;
  #timer = null;
  #player = null;
  #step = document.getElementById("step");
  #play = document.getElementById("play");

  constructor(facts, state, failed) {
    this.#facts = facts;
    this.#state = state;
    document.getElementById("painting").hidden = false;
    this.#step.max = facts.steps;
    this.#step.value = facts.steps;
    this.#newest = new Newest(() => this.#paint(), failed);
    state.addEventListener("code", () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#newest.request(null), REST);
    });
    this.#step.addEventListener("input", () => {
      this.#stop();
      this.#show();
    });
    this.#play.addEventListener("click", () => (this.#player ? this.#stop() : this.#start()));
    this.#newest.request(null);
  }

  async #paint() {
    const { subject } = this.#state;
    this.#painted = subject?.address
      ? await ask(subject.address("paint"), subject.body, subject.type)
      : await ask("/api/paint", { code: this.#state.plain, label: this.#state.label });
    this.#step.max = this.#painted.pictures.length;
    const { read, write } = this.#painted;
    document.getElementById("windows-help").textContent = [
      write ? "Orange: where the step wrote, the line the wider the sharper the filters." : "Each step writes on the whole canvas.",
      read ? "Blue, dashed: where it read." : "",
    ].join(" ");
    this.#show();
  }

  #show() {
    if (!this.#painted) return;
    const at = Math.min(Number(this.#step.value), this.#painted.pictures.length) - 1;
    const picture = document.getElementById("canvas-of-step");
    document.getElementById("step-text").textContent = `${at + 1} of ${this.#painted.pictures.length}`;
    show(picture, this.#painted.pictures[at], this.#facts, `The canvas after step ${at + 1}`);
    const over = document.getElementById("windows");
    const dense = devicePixelRatio || 1, width = picture.clientWidth, height = picture.clientHeight;
    Object.assign(over, { width: width * dense, height: height * dense });
    const context = over.getContext("2d");
    context.scale(dense, dense);
    const pixel = width / this.#facts.shape[2];
    this.#outline(context, this.#painted.write?.[at], pixel, WRITES, []);
    this.#outline(context, this.#painted.read?.[at], pixel, READS, [6, 4]);
    over.dataset.window = JSON.stringify(this.#painted.write?.[at] ?? null);
  }

  #outline(context, window, pixel, colour, dashes) {
    if (!window) return;
    const [x, y, side, sigma] = window;
    const corner = [(x + 0.5 - side / 2) * pixel, (y + 0.5 - side / 2) * pixel, side * pixel, side * pixel];
    context.setLineDash(dashes);
    for (const [style, more] of [["#000000", 2], [colour, 0]]) {
      context.strokeStyle = style;
      context.lineWidth = Math.max(1.5, Math.min(7, 2 / sigma ** 2)) + more;
      context.strokeRect(...corner);
    }
  }

  #start() {
    if (Number(this.#step.value) >= Number(this.#step.max)) this.#step.value = 0;
    this.#play.textContent = "Pause";
    this.#player = setInterval(() => {
      this.#step.value = Number(this.#step.value) + 1;
      this.#show();
      if (Number(this.#step.value) >= Number(this.#step.max)) this.#stop();
    }, TICK);
  }

  #stop() {
    clearInterval(this.#player);
    this.#player = null;
    this.#play.textContent = "Play";
  }
}
