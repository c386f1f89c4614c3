// Colours of labels that are told apart whatever one's colour vision, and of what is drawn over them.

// Petroff, Accessible color sequences for data visualization, 2021.
const PETROFF = [
  "#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd",
];
// From the map viridis, for more labels than have colours of their own.
const SCALE = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];

export const WRITES = "#e69f00";
export const READS = "#56b4e9";

/** The colour of the i-th of so many classes. */
export function colourOf(i, count) {
  if (count <= PETROFF.length) return PETROFF[i];
  const at = (i / (count - 1)) * (SCALE.length - 1);
  const low = Math.min(Math.floor(at), SCALE.length - 2);
  const mixed = SCALE[low].map((value, c) => Math.round(value + (at - low) * (SCALE[low + 1][c] - value)));
  return `rgb(${mixed.join(" ")})`;
}

/** A colour of the style sheet. */
export function ink(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
