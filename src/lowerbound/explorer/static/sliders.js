// A slider for each active dimension, the most used first.

import { signed } from "./picture.js";

// Sliders that are there at first, and that come with each press of the button.
const BATCH = 12;

export class Sliders {
  #facts;
  #state;
  #box = document.getElementById("sliders");
  #more = document.getElementById("more");
  #active;
  #rows = [];

  constructor(facts, state) {
    this.#facts = facts;
    this.#state = state;
    this.#active = facts.dimensions.filter((dimension) => dimension.active);
    if (!this.#active.length) this.#active = facts.dimensions.slice(0, BATCH);
    const idle = facts.dimensions.length - this.#active.length;
    document.getElementById("dimensions-help").textContent =
      `${this.#active.length} of ${facts.dimensions.length} are active; by ${facts.use}, shown by the grey bars.`
      + (idle ? ` ${idle} are idle: they hardly differ from datum to datum.` : "");
    this.#more.addEventListener("click", () => this.#add());
    document.getElementById("centre").addEventListener("click", () => state.move(facts.centre));
    state.addEventListener("code", () => this.#update());
    state.addEventListener("settled", () => this.#update());
    this.#add();
  }

  #add() {
    const from = this.#rows.length;
    const most = this.#active[0].use || 1;
    for (const dimension of this.#active.slice(from, from + BATCH)) this.#rows.push(this.#make(dimension, most));
    const left = this.#active.length - this.#rows.length;
    this.#more.hidden = left === 0;
    this.#more.textContent = `Show ${Math.min(left, BATCH)} more (${left} left)`;
    this.#update();
  }

  #make(dimension, most) {
    const { name, low, high, start, entries, use } = dimension;
    const row = document.createElement("div");
    row.className = "slider";
    const label = document.createElement("label");
    label.textContent = name;
    const input = Object.assign(document.createElement("input"), {
      type: "range", id: `slider-${start}`, min: low, max: high, step: entries > 1 ? 1 : (high - low) / 400,
    });
    label.htmlFor = input.id;
    const output = document.createElement("output");
    output.htmlFor = input.id;
    const belief = document.createElement("div");
    belief.className = "belief";
    belief.append(document.createElement("i"));
    const bar = document.createElement("div");
    bar.className = "use";
    bar.title = `${this.#facts.use}: ${use.toPrecision(3)}`;
    const filled = document.createElement("i");
    filled.style.width = `${(100 * use) / most}%`;
    bar.append(filled);
    row.append(label, input, output, belief, bar);
    this.#box.append(row);
    input.addEventListener("input", () => {
      const chosen = Number(input.value);
      const changed = entries === 1
        ? [[start, chosen]]
        : Array.from({ length: entries }, (_, i) => [start + i, Number(i === chosen)]);
      this.#state.set(changed);
    });
    return { dimension, input, output, belief: belief.firstElementChild };
  }

  #update() {
    const { code, spread } = this.#state;
    for (const { dimension, input, output, belief } of this.#rows) {
      const { start, entries, low, high } = dimension;
      let value = code[start];
      if (entries > 1) {
        const choice = code.subarray(start, start + entries);
        value = choice.indexOf(Math.max(...choice));
      }
      input.value = value;
      output.textContent = entries > 1 ? value : signed(value, 2);
      belief.hidden = !spread;
      if (spread) {
        const share = (z) => 100 * Math.max(0, Math.min(1, (z - low) / (high - low)));
        belief.style.left = `${share(value - spread[start])}%`;
        belief.style.width = `${share(value + spread[start]) - share(value - spread[start])}%`;
      }
    }
  }
}
