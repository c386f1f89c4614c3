// The page: asks what the model is, and joins the parts that show it.

import { ask, Newest } from "./api.js";
import { Between } from "./between.js";
import { offerDownloads } from "./downloads.js";
import { MapView } from "./map.js";
import { show, signed } from "./picture.js";
import { Plane } from "./plane.js";
import { Scrubber } from "./scrubber.js";
import { Sliders } from "./sliders.js";
import { State } from "./state.js";
import { Visitor } from "./visitor.js";

const trouble = document.getElementById("trouble");

function failed(error) {
  trouble.textContent = error.message;
  trouble.hidden = false;
}

function option(select, value, text = value) {
  select.append(new Option(text, value));
}

/** The two axes of the map, and what follows from a choice. */
function offerAxes(facts, map) {
  const across = document.getElementById("across"), up = document.getElementById("up");
  for (const select of [across, up]) for (const axis of facts.axes) option(select, axis);
  document.getElementById("axes").hidden = facts.axes.length <= 2;
  [across.value, up.value] = [facts.axes[0], facts.axes[1] ?? facts.axes[0]];
  const load = new Newest(async () => {
    map.plane = new Plane(await ask(`/api/plane?${new URLSearchParams({ x: across.value, y: up.value })}`));
    trouble.hidden = true;
  }, failed);
  const isComponent = (axis) => axis.startsWith("PC ");
  for (const [changed, other] of [[across, up], [up, across]]) {
    changed.addEventListener("change", () => {
      // Both are of one kind, and differ.
      if (changed.value === other.value || isComponent(changed.value) !== isComponent(other.value)) {
        const fits = (axis) => axis !== changed.value && isComponent(axis) === isComponent(changed.value);
        other.value = facts.axes.find(fits) ?? other.value;
      }
      load.request(null);
    });
  }
  return load.request(null);
}

function offerLabels(facts, state) {
  if (!facts.classes.length) return;
  const select = document.getElementById("label");
  document.getElementById("label-choice").hidden = false;
  facts.classes.forEach((name, i) => option(select, i, name));
  select.addEventListener("change", () => state.tell(Number(select.value)));
}

function follow(facts, state) {
  const picture = document.getElementById("picture"), where = document.getElementById("where");
  const shownDimensions = facts.dimensions.filter((one) => one.entries === 1).slice(0, 2);
  const decode = new Newest(async () => {
    const { pictures, codes } = await ask("/api/decode", { codes: [state.plain], label: state.label });
    show(picture, pictures[0], facts, "The mean of p(x | z) at the cursor");
    if (codes) state.settle(codes[0]);
    trouble.hidden = true;
  }, failed);
  const update = () => {
    const some = shownDimensions.map((one) => `${one.name} = ${signed(state.code[one.start], 2)}`).join(", ");
    where.textContent = state.subject ? `The code of ${state.subject.name}` : some;
    decode.request(null);
  };
  state.addEventListener("code", update);
  update();
}

async function start() {
  const facts = await ask("/api/facts");
  document.title = `${facts.name}: latent space`;
  document.getElementById("name").textContent = facts.name;
  document.getElementById("title").textContent = `${facts.title}. ${facts.understood}`;
  const state = new State(facts.centre);
  follow(facts, state);
  const map = new MapView(facts, state, failed);
  const between = new Between(facts, state, map, failed);
  new Sliders(facts, state);
  new Visitor(facts, state, failed);
  if (facts.steps) new Scrubber(facts, state, failed);
  offerLabels(facts, state);
  offerDownloads(facts, state, map, between, failed);
  document.getElementById("random").addEventListener("click", async () => {
    try {
      state.move((await ask("/api/draw", { seed: Math.floor(Math.random() * 2 ** 31) })).code);
    } catch (error) {
      failed(error);
    }
  });
  await offerAxes(facts, map);
  document.getElementById("main").removeAttribute("aria-busy");
}

start().catch(failed);
