// A datum that is looked at: dropped, drawn, typed, or chosen on the map.

import { ask, Newest } from "./api.js";
import { ink } from "./colours.js";
import { show, signed } from "./picture.js";
import { Sketch } from "./sketch.js";

export class Visitor {
  #facts;
  #state;
  #newest;

  constructor(facts, state, failed) {
    this.#facts = facts;
    this.#state = state;
    this.#newest = new Newest((subject) => this.#look(subject), failed);
    state.addEventListener("subject", () => this.#newest.request(state.subject));
    if (facts.kind === "image") this.#takeImages();
    else this.#takeRows();
  }

  #takeImages() {
    document.getElementById("bring-image").hidden = false;
    const sketch = new Sketch(this.#facts);
    const file = document.getElementById("file"), drop = document.getElementById("drop");
    const bring = (blob, name) => {
      const invert = name === "your drawing" ? 0 : Number(document.getElementById("invert").checked);
      this.#state.choose({ body: blob, type: blob.type || "application/octet-stream", invert, name });
    };
    document.getElementById("look-sketch").addEventListener("click", async () => bring(await sketch.file, "your drawing"));
    file.addEventListener("change", () => file.files[0] && bring(file.files[0], file.files[0].name));
    document.getElementById("invert").addEventListener("change", () => file.files[0] && bring(file.files[0], file.files[0].name));
    // Wherever on the page it is dropped: a miss must not make the browser leave for the image.
    addEventListener("dragover", (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
    addEventListener("dragleave", () => drop.classList.remove("over"));
    addEventListener("drop", (event) => {
      event.preventDefault();
      drop.classList.remove("over");
      const dropped = event.dataTransfer.files[0];
      if (dropped) bring(dropped, dropped.name);
    });
  }

  #takeRows() {
    const form = document.getElementById("bring-row"), values = document.getElementById("values");
    form.hidden = false;
    values.value = this.#facts.average.map((value) => Number(value.toPrecision(4))).join(", ");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const row = values.value.split(/[\s,;]+/).filter(Boolean).map(Number);
      this.#state.choose({ body: { values: row }, type: "application/json", name: "the row" });
    });
  }

  async #look(subject) {
    const query = new URLSearchParams({ invert: subject.invert ?? 0, label: this.#state.label });
    const body = subject.type === "application/json" ? { ...subject.body, label: this.#state.label } : subject.body;
    const address = (what) => (subject.type === "application/json" ? `/api/${what}` : `/api/${what}?${query}`);
    const text = document.getElementById("reading-text"), scored = document.getElementById("score-text");
    scored.textContent = "";
    document.getElementById("scores").hidden = true;
    const reading = await ask(address("read"), body, subject.type);
    document.getElementById("reading").hidden = false;
    show(document.getElementById("original"), reading.picture, this.#facts, `The datum: ${subject.name}`);
    show(document.getElementById("again"), reading.reconstruction, this.#facts, "Its reconstruction");
    const rate = reading.rate === null ? "" : ` Its posterior is ${reading.rate.toFixed(1)} nats from the prior.`;
    text.textContent = `${subject.name}: ${reading.note || "a datum of the map."}${rate}`;
    if (subject.type === "application/json" && subject.body.values) text.textContent = `The row.${rate}`;
    this.#state.read({ ...subject, body, address }, reading.code, reading.spread);
    scored.textContent = "Scoring …";
    try {
      this.#showScore(await ask(address("score"), body, subject.type));
    } catch (error) {
      scored.textContent = error.message;
    }
  }

  #showScore({ score, what, particles, below, compared, mean, edges, counts }) {
    const unusual = below < 0.02 ? " That is unusual." : "";
    const how = particles === null ? "" : ` (${particles} importance samples)`;
    document.getElementById("score-text").textContent =
      `${what} = ${signed(score)} nats${how}, and ${signed(mean)} on average over ${compared} data of the map; `
      + `${Math.round(100 * below)} % of them score no higher.${unusual}`;
    const canvas = document.getElementById("scores");
    canvas.hidden = false;
    const dense = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
    Object.assign(canvas, { width: width * dense, height: height * dense });
    const context = canvas.getContext("2d");
    context.scale(dense, dense);
    const low = Math.min(edges[0], score), high = Math.max(edges.at(-1), score);
    const x = (value) => 8 + ((value - low) / (high - low || 1)) * (width - 16);
    const base = height - 22, most = Math.max(...counts);
    context.fillStyle = ink("--quiet");
    counts.forEach((count, i) => {
      const tall = (count / most) * (base - 18);
      context.fillRect(x(edges[i]), base - tall, Math.max(1, x(edges[i + 1]) - x(edges[i]) - 1), tall);
    });
    context.fillRect(8, base, width - 16, 1);
    context.font = "12px system-ui, sans-serif";
    context.textAlign = "left";
    context.fillText(signed(low, 0), 8, height - 6);
    context.textAlign = "right";
    context.fillText(`${signed(high, 0)} nats`, width - 8, height - 6);
    context.fillStyle = ink("--wrong");
    context.fillRect(x(score) - 1.5, 12, 3, base - 12);
    context.textAlign = x(score) > width / 2 ? "right" : "left";
    context.fillText("this one", x(score) + (x(score) > width / 2 ? -6 : 6), 14);
  }
}
