// The map: data as points, and a cursor that decodes where it is dragged.

import { ask, Newest } from "./api.js";
import { colourOf, ink } from "./colours.js";
import { show } from "./picture.js";

// Pixels within which a pointer hits a point, and beyond which a press becomes a drag.
const HIT = 12, DRAG = 4;
// Share of the map that an arrow key moves by.
const STEP = 0.02;

export class MapView {
  #canvas = document.getElementById("map");
  #tip = document.getElementById("tip");
  #facts;
  #state;
  #plane = null;
  #layer = document.createElement("canvas");
  #hidden = new Set();
  #classes;
  #press = null;
  #thumbnail;
  #hovered = -1;
  /** The ends of an interpolation, as codes. */
  #ends = [null, null];
  /** Called with a code instead of moving there, while two points are picked. */
  picking = null;
  /** Called with "A" or "B" where the key of that name is pressed. */
  onEnd = () => {};

  constructor(facts, state, failed) {
    this.#facts = facts;
    this.#state = state;
    this.#classes = facts.labels ? [...new Set(facts.labels)].sort((a, b) => a - b) : [];
    this.#thumbnail = new Newest((number) => this.#showTip(number), failed);
    state.addEventListener("code", () => this.#draw());
    state.addEventListener("settled", () => this.#draw());
    for (const [type, act] of Object.entries({
      pointerdown: this.#down, pointermove: this.#move, pointerup: this.#up, pointercancel: this.#leave,
      pointerleave: this.#leave, keydown: this.#key, blur: this.#leave,
    })) this.#canvas.addEventListener(type, act.bind(this));
    new ResizeObserver(() => this.#redraw()).observe(this.#canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#redraw());
    this.#makeLegend();
  }

  get canvas() {
    return this.#canvas;
  }

  set plane(plane) {
    this.#plane = plane;
    this.#redraw();
  }

  set ends(ends) {
    this.#ends = ends;
    this.#draw();
  }

  /** What a label is called. */
  labelOf(number) {
    if (!this.#facts.labels) return "";
    return this.#nameOf(this.#facts.labels[number]);
  }

  #nameOf(label) {
    return this.#facts.label_names?.[label] ?? String(label);
  }

  #shown = (number) => !this.#facts.labels || !this.#hidden.has(this.#facts.labels[number]);

  // Places, in pixels of the style sheet.

  get #size() {
    return [this.#canvas.clientWidth, this.#canvas.clientHeight];
  }

  get #scale() {
    return this.#size.map((pixels, axis) => pixels / (this.#plane.range[axis][1] - this.#plane.range[axis][0]));
  }

  #pixel([u, v]) {
    const [across, up] = this.#plane.range, [x, y] = this.#scale;
    return [(u - across[0]) * x, (up[1] - v) * y];
  }

  #place(event) {
    const box = this.#canvas.getBoundingClientRect();
    const [across, up] = this.#plane.range, [x, y] = this.#scale;
    return [across[0] + (event.clientX - box.left) / x, up[1] - (event.clientY - box.top) / y];
  }

  // Drawing. The points are drawn once, and copied under every new cursor.

  #redraw() {
    if (!this.#plane || !this.#canvas.clientWidth) return;
    const dense = devicePixelRatio || 1;
    const [width, height] = this.#size;
    for (const canvas of [this.#canvas, this.#layer]) {
      Object.assign(canvas, { width: Math.round(width * dense), height: Math.round(height * dense) });
    }
    const context = this.#layer.getContext("2d");
    context.scale(dense, dense);
    this.#drawAxes(context, width, height);
    const radius = Math.max(2, Math.min(4, 90 / Math.sqrt(this.#plane.points.length)));
    const place = new Map(this.#classes.map((label, i) => [label, i]));
    context.globalAlpha = 0.75;
    this.#plane.points.forEach((point, number) => {
      if (!this.#shown(number)) return;
      const [x, y] = this.#pixel(point);
      const of = place.get(this.#facts.labels?.[number]);
      context.fillStyle = of === undefined ? ink("--accent") : colourOf(of, this.#classes.length);
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.fill();
    });
    context.globalAlpha = 1;
    if (this.#classes.length <= 10) this.#nameClasses(context);
    this.#draw();
  }

  #drawAxes(context, width, height) {
    context.fillStyle = ink("--quiet");
    context.strokeStyle = ink("--line");
    context.font = "13px system-ui, sans-serif";
    const [x, y] = this.#pixel([0, 0]);
    context.beginPath();
    context.moveTo(x, 0);
    context.lineTo(x, height);
    context.moveTo(0, y);
    context.lineTo(width, y);
    context.stroke();
    context.textAlign = "right";
    context.fillText(this.#plane.names[0], width - 6, height - 8);
    context.textAlign = "left";
    context.fillText(this.#plane.names[1], 6, 16);
  }

  /** The name of each class where the middle of its points is, so that colour is not all that tells them apart. */
  #nameClasses(context) {
    context.font = "bold 15px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineWidth = 4;
    context.strokeStyle = ink("--raised");
    context.fillStyle = ink("--ink");
    for (const label of this.#classes) {
      if (this.#hidden.has(label)) continue;
      const own = this.#plane.points.filter((_, i) => this.#facts.labels[i] === label);
      const middle = [0, 1].map((axis) => own.map((point) => point[axis]).sort((a, b) => a - b)[own.length >> 1]);
      const name = this.#nameOf(label).slice(0, 24);
      context.strokeText(name, ...this.#pixel(middle));
      context.fillText(name, ...this.#pixel(middle));
    }
    context.textBaseline = "alphabetic";
  }

  #draw() {
    if (!this.#plane || !this.#canvas.width) return;
    const context = this.#canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    context.drawImage(this.#layer, 0, 0);
    const dense = devicePixelRatio || 1;
    context.scale(dense, dense);
    this.#drawBelief(context);
    this.#drawEnds(context);
    const [x, y] = this.#pixel(this.#plane.place(this.#state.code));
    for (const [colour, width] of [[ink("--raised"), 5], [ink("--ink"), 2]]) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.beginPath();
      context.arc(x, y, 8, 0, 2 * Math.PI);
      context.moveTo(x - 14, y);
      context.lineTo(x + 14, y);
      context.moveTo(x, y - 14);
      context.lineTo(x, y + 14);
      context.stroke();
    }
  }

  /** The posterior of the datum that is looked at: the ellipse of two standard deviations. */
  #drawBelief(context) {
    if (!this.#state.spread) return;
    const [uu, uv, vv] = this.#plane.covariance(this.#state.spread);
    const middle = (uu + vv) / 2, away = Math.hypot((uu - vv) / 2, uv);
    const turn = Math.atan2(2 * uv, uu - vv) / 2;
    const [long, short] = [Math.sqrt(middle + away), Math.sqrt(Math.max(middle - away, 0))].map((sd) => 2 * sd);
    const centre = this.#plane.place(this.#state.code);
    context.strokeStyle = ink("--accent");
    context.lineWidth = 2;
    context.beginPath();
    for (let i = 0; i <= 64; i++) {
      const [c, s] = [Math.cos((i / 32) * Math.PI) * long, Math.sin((i / 32) * Math.PI) * short];
      context.lineTo(...this.#pixel([
        centre[0] + c * Math.cos(turn) - s * Math.sin(turn), centre[1] + c * Math.sin(turn) + s * Math.cos(turn),
      ]));
    }
    context.stroke();
  }

  #drawEnds(context) {
    const places = this.#ends.map((code) => code && this.#pixel(this.#plane.place(code)));
    context.strokeStyle = ink("--ink");
    context.lineWidth = 2;
    if (places[0] && places[1]) {
      context.beginPath();
      context.moveTo(...places[0]);
      context.lineTo(...places[1]);
      context.stroke();
    }
    context.font = "bold 14px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    places.forEach((place, i) => {
      if (!place) return;
      context.fillStyle = ink("--ink");
      context.beginPath();
      context.arc(...place, 10, 0, 2 * Math.PI);
      context.fill();
      context.fillStyle = ink("--raised");
      context.fillText("AB"[i], ...place);
    });
    context.textBaseline = "alphabetic";
  }

  // What the pointer and the keys do.

  #down(event) {
    if (event.button !== 0) return;
    this.#canvas.setPointerCapture(event.pointerId);
    this.#press = { x: event.clientX, y: event.clientY, dragging: false };
    this.#leaveTip();
  }

  #move(event) {
    if (!this.#plane) return;
    if (!this.#press) {
      const { number, distance } = this.#plane.nearest(this.#place(event), this.#scale, this.#shown);
      if (distance > HIT) this.#leaveTip();
      else if (number !== this.#hovered) {
        this.#hovered = number;
        this.#thumbnail.request(number);
      }
      return;
    }
    const far = Math.hypot(event.clientX - this.#press.x, event.clientY - this.#press.y) > DRAG;
    if (far && !this.picking) this.#press.dragging = true;
    if (this.#press.dragging) this.#state.move(this.#plane.lift(this.#state.code, this.#place(event)));
  }

  async #up(event) {
    const press = this.#press;
    this.#press = null;
    if (!press || press.dragging) return;
    const place = this.#place(event);
    const { number, distance } = this.#plane.nearest(place, this.#scale, this.#shown);
    const code = this.#plane.lift(this.#state.code, place);
    if (this.picking) await this.picking(distance <= HIT ? number : null, code);
    else if (distance <= HIT) this.#look(number);
    else this.#state.move(code);
  }

  #look(number) {
    this.#state.choose({ body: { number }, type: "application/json", name: this.describe(number) });
  }

  /** A datum in words. */
  describe(number) {
    const label = this.labelOf(number);
    return `row ${this.#facts.rows[number]}${label === "" ? "" : `, label ${label}`}`;
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const far = event.shiftKey ? 5 : 1;
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const key = event.key.length === 1 ? event.key.toUpperCase() : event.key;
    const here = this.#plane.place(this.#state.code);
    if (key in steps) {
      const moved = here.map((value, axis) => {
        const [low, high] = this.#plane.range[axis];
        return value + steps[key][axis] * far * STEP * (high - low);
      });
      this.#state.move(this.#plane.lift(this.#state.code, moved));
    } else if (key === "Enter") {
      const { number } = this.#plane.nearest(here, this.#scale, this.#shown);
      if (number >= 0) this.#look(number);
    } else if (key === "A" || key === "B") {
      this.onEnd(key);
    } else {
      return;
    }
    event.preventDefault();
  }

  // The thumbnail of the datum under the pointer.

  async #showTip(number) {
    const { picture } = await ask(`/api/data/${number}`);
    if (number !== this.#hovered) return;
    const words = this.describe(number);
    show(document.getElementById("tip-picture"), picture, this.#facts, words);
    document.getElementById("tip-text").textContent = words;
    this.#tip.hidden = false;
    const [x, y] = this.#pixel(this.#plane.points[number]);
    const [width, height] = this.#size;
    this.#tip.style.left = `${Math.max(0, Math.min(x + 14, width - this.#tip.offsetWidth))}px`;
    const below = y + 14 + this.#tip.offsetHeight <= height;
    this.#tip.style.top = `${Math.max(0, below ? y + 14 : y - 14 - this.#tip.offsetHeight)}px`;
  }

  #leaveTip() {
    this.#hovered = -1;
    this.#tip.hidden = true;
  }

  #leave() {
    this.#leaveTip();
  }

  #makeLegend() {
    const legend = document.getElementById("legend");
    legend.hidden = this.#classes.length < 2 || this.#classes.length > 40;
    if (legend.hidden) return;
    this.#classes.forEach((label, i) => {
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-pressed", "true");
      const dot = document.createElement("i");
      dot.style.background = colourOf(i, this.#classes.length);
      button.append(dot, this.#nameOf(label));
      button.addEventListener("click", () => {
        if (!this.#hidden.delete(label)) this.#hidden.add(label);
        button.setAttribute("aria-pressed", String(!this.#hidden.has(label)));
        this.#redraw();
      });
      legend.append(button);
    });
  }
}
