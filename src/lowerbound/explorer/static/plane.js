// A plane through the latent space: from codes to places in it, and back.

export class Plane {
  constructor({ names, directions, centre, points }) {
    Object.assign(this, { names, directions, centre, points });
    const [us, vs] = [0, 1].map((axis) => points.map((point) => point[axis]));
    this.range = [us, vs].map((values) => {
      const low = values.reduce((a, b) => Math.min(a, b)), high = values.reduce((a, b) => Math.max(a, b));
      const margin = 0.06 * (high - low) || 1;
      return [low - margin, high + margin];
    });
  }

  /** Where a code lies: the foot of its perpendicular. */
  place(code) {
    return this.directions.map((direction) => {
      let total = 0;
      for (let i = 0; i < direction.length; i++) total += direction[i] * (code[i] - this.centre[i]);
      return total;
    });
  }

  /** The code moved, along the plane alone, until it lies at a place. */
  lift(code, place) {
    const from = this.place(code);
    const moved = Float64Array.from(code);
    this.directions.forEach((direction, axis) => {
      const step = place[axis] - from[axis];
      for (let i = 0; i < direction.length; i++) moved[i] += step * direction[i];
    });
    return moved;
  }

  /** Covariance in the plane of independent entries with these standard deviations: [var u, cov, var v]. */
  covariance(spread) {
    const [a, b] = this.directions;
    let uu = 0, uv = 0, vv = 0;
    spread.forEach((sd, i) => {
      uu += a[i] * a[i] * sd * sd;
      uv += a[i] * b[i] * sd * sd;
      vv += b[i] * b[i] * sd * sd;
    });
    return [uu, uv, vv];
  }

  /** The datum next to a place, as {number, distance}, where distances are measured by `scale`. */
  nearest(place, scale, shown) {
    let number = -1, best = Infinity;
    this.points.forEach(([u, v], i) => {
      if (!shown(i)) return;
      const distance = Math.hypot((u - place[0]) * scale[0], (v - place[1]) * scale[1]);
      if (distance < best) [number, best] = [i, distance];
    });
    return { number, distance: best };
  }
}
