// Points and lines on the screen, in pixels.

export const along = (line, part) => {
  const at = part * (line.length - 1), n = Math.min(Math.floor(at), line.length - 2), rest = at - n;
  return [line[n][0] + (line[n + 1][0] - line[n][0]) * rest, line[n][1] + (line[n + 1][1] - line[n][1]) * rest];
};

/** The distance of a point from a line of straight pieces. */
export function distance([x, y], line) {
  let least = Infinity;
  for (let n = 1; n < line.length; n++) {
    const [ax, ay] = line[n - 1], dx = line[n][0] - ax, dy = line[n][1] - ay, square = dx * dx + dy * dy;
    const part = square ? Math.max(0, Math.min(1, ((x - ax) * dx + (y - ay) * dy) / square)) : 0;
    least = Math.min(least, Math.hypot(x - ax - part * dx, y - ay - part * dy));
  }
  return least;
}

/** A straight line, or one that bends: a quadratic curve in pieces. */
export function bent([ax, ay], [bx, by], bend) {
  if (!bend) return [[ax, ay], [bx, by]];
  const cx = (ax + bx) / 2 - (by - ay) * bend, cy = (ay + by) / 2 + (bx - ax) * bend;
  return Array.from({ length: 17 }, (_, n) => {
    const t = n / 16, s = 1 - t;
    return [s * s * ax + 2 * s * t * cx + t * t * bx, s * s * ay + 2 * s * t * cy + t * t * by];
  });
}

/** The least bent line between two hosts that keeps clear of all others. */
export function clear(from, to, others, room) {
  for (const bend of [0, 0.14, -0.14, 0.24, -0.24, 0.36, -0.36]) {
    const line = bent(from, to, bend);
    if (others.every(point => distance(point, line) > room)) return line;
  }
  return bent(from, to, 0);
}

const length = line => line.slice(1).reduce((sum, [x, y], n) => sum + Math.hypot(x - line[n][0], y - line[n][1]), 0);

/** Cut a line at both ends (pixels), and move it to its right-hand side. */
export function lane(line, cut, aside) {
  const whole = length(line), head = Math.min(cut, whole / 3) / whole;
  const parts = line.length === 2 ? [head, 1 - head] : Array.from({ length: 17 }, (_, n) => head + ((1 - 2 * head) * n) / 16);
  const points = parts.map(one => along(line, one));
  return points.map(([x, y], n) => {
    const [px, py] = points[Math.max(0, n - 1)], [qx, qy] = points[Math.min(points.length - 1, n + 1)];
    const far = Math.hypot(qx - px, qy - py) || 1;
    return [x - ((qy - py) / far) * aside, y + ((qx - px) / far) * aside];
  });
}

/** The first part of a line. */
export function first(line, part) {
  if (part >= 1) return line;
  const last = part * (line.length - 1);
  return [...line.slice(0, Math.floor(last) + 1), along(line, part)];
}

export const overlap = (a, b) => Math.max(0, Math.min(a.x + a.w, b.x + b.w) - Math.max(a.x, b.x)) * Math.max(0, Math.min(a.y + a.h, b.y + b.h) - Math.max(a.y, b.y));

/** A line of the 'down' or 'no' kind crosses a box: by points on it. */
export function crosses(box, line) {
  for (let n = 0; n <= 12; n++) {
    const [x, y] = along(line, n / 12);
    if (x > box.x && x < box.x + box.w && y > box.y && y < box.y + box.h) return true;
  }
  return false;
}
