// The straight way from one code to another.

import { ask } from "./api.js";
import { show } from "./picture.js";

// Pictures along the way, the ends among them.
const STOPS = 9;

export class Between {
  #facts;
  #state;
  #map;
  #failed;
  #ends = [null, null];
  #pick = document.getElementById("pick");
  #help = document.getElementById("between-help");
  #strip = document.getElementById("strip");
  #share = document.getElementById("share");

  constructor(facts, state, map, failed) {
    this.#facts = facts;
    this.#state = state;
    this.#map = map;
    this.#failed = failed;
    this.#pick.addEventListener("click", () => this.#picking(this.#pick.getAttribute("aria-pressed") === "false"));
    document.getElementById("from").addEventListener("click", () => this.#set(0, state.plain));
    document.getElementById("to").addEventListener("click", () => this.#set(1, state.plain));
    map.onEnd = (which) => this.#set(which === "A" ? 0 : 1, state.plain);
    this.#share.addEventListener("input", () => state.move(this.#at(Number(this.#share.value))));
    state.addEventListener("label", () => this.#walk());
  }

  /** The canvases of the pictures along the way. */
  get canvases() {
    return [...this.#strip.querySelectorAll("canvas")];
  }

  #picking(on) {
    this.#pick.setAttribute("aria-pressed", String(on));
    if (!on) {
      this.#map.picking = null;
      return;
    }
    this.#ends = [null, null];
    this.#map.ends = this.#ends;
    this.#help.textContent = "Click where the interpolation starts, on a datum or between them.";
    this.#map.picking = async (number, code) => {
      try {
        const end = number === null
          ? code
          : (await ask("/api/read", { number, label: this.#state.label })).code;
        if (this.#ends[0]) {
          this.#picking(false);
          this.#set(1, end);
        } else {
          this.#set(0, end);
          this.#help.textContent = "Click where it ends.";
        }
      } catch (error) {
        this.#failed(error);
      }
    };
  }

  #set(which, code) {
    this.#ends[which] = Array.from(code);
    this.#map.ends = this.#ends;
    this.#help.textContent = this.#ends[0] && this.#ends[1]
      ? "Choose a picture to go there."
      : `Now set the other end, ${which === 0 ? "B" : "A"}.`;
    this.#walk();
  }

  #at(share) {
    const [from, to] = this.#ends;
    return from.map((value, i) => value + share * (to[i] - value));
  }

  async #walk() {
    if (!this.#ends[0] || !this.#ends[1]) return;
    const codes = Array.from({ length: STOPS }, (_, i) => this.#at(i / (STOPS - 1)));
    let pictures;
    try {
      ({ pictures } = await ask("/api/decode", { codes, label: this.#state.label }));
    } catch (error) {
      this.#failed(error);
      return;
    }
    document.getElementById("path").hidden = false;
    this.#strip.replaceChildren(...pictures.map((picture, i) => {
      const share = i / (STOPS - 1);
      const button = Object.assign(document.createElement("button"), { type: "button" });
      const box = document.createElement("div");
      box.className = "picture";
      show(box, picture, this.#facts, `${Math.round(100 * share)} % of the way from A to B`);
      button.append(box);
      button.addEventListener("click", () => {
        this.#share.value = share;
        this.#state.move(codes[i]);
      });
      return button;
    }));
  }
}
