// What is seen, as files.

import { ask } from "./api.js";
import { ink } from "./colours.js";
import { enlarged } from "./picture.js";

function save(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function saveCanvas(canvas, name) {
  canvas.toBlob((blob) => save(blob, name), "image/png");
}

/** Several pictures beside each other. */
function besideEachOther(canvases) {
  const all = canvases.map((canvas) => enlarged(canvas, 160));
  const whole = document.createElement("canvas");
  Object.assign(whole, { width: all.length * (all[0].width + 8) - 8, height: all[0].height });
  all.forEach((canvas, i) => whole.getContext("2d").drawImage(canvas, i * (canvas.width + 8), 0));
  return whole;
}

export function offerDownloads(facts, state, map, between, failed) {
  const on = (id, act) => document.getElementById(id).addEventListener("click", act);
  // A row of numbers is in the file of its code.
  document.getElementById("save-png").hidden = document.getElementById("save-strip").hidden = facts.kind !== "image";
  on("save-png", () => saveCanvas(enlarged(document.querySelector("#picture canvas")), "picture.png"));
  on("save-strip", () => saveCanvas(besideEachOther(between.canvases), "interpolation.png"));
  on("save-map", () => {
    const whole = document.createElement("canvas");
    Object.assign(whole, { width: map.canvas.width, height: map.canvas.height });
    const context = whole.getContext("2d");
    context.fillStyle = ink("--raised");
    context.fillRect(0, 0, whole.width, whole.height);
    context.drawImage(map.canvas, 0, 0);
    saveCanvas(whole, "map.png");
  });
  on("save-json", () => save(new Blob([JSON.stringify({ z: [state.plain] })], { type: "application/json" }), "codes.json"));
  on("save-npz", async () => {
    try {
      save(await ask("/api/codes.npz", { codes: [state.plain], label: state.label }), "codes.npz");
    } catch (error) {
      failed(error);
    }
  });
}
