/** Which boxes the firmware reports: host/kmodel/region.py, number by number. */

/** Candidates are [left, top, right, bottom, label, score, place], best first; null is infinite. */
export function reported(candidates, threshold, nms) {
  const shown = candidates.filter((one) => one[5] > threshold).map(([left, top, right, bottom, ...rest]) =>
    [left ?? -Infinity, top ?? -Infinity, right ?? Infinity, bottom ?? Infinity, ...rest]);
  const kept = suppress(shown, nms);
  const places = new Set();
  return kept.filter((one) => !places.has(one[6]) && places.add(one[6]));
}

/** Drop those that overlap a better one of their class that stays. */
function suppress(boxes, nms) {
  const stays = new Map();
  return boxes.filter((box) => {
    const better = stays.get(box[4]) ?? [];
    if (!better.every((one) => overlap(one, box) <= nms)) return false;
    stays.set(box[4], [...better, box]);
    return true;
  });
}

/** Return the intersection over union; a box of infinite size overlaps none. */
function overlap(a, b) {
  const width = Math.max(Math.min(a[2], b[2]) - Math.max(a[0], b[0]), 0);
  const height = Math.max(Math.min(a[3], b[3]) - Math.max(a[1], b[1]), 0);
  const shared = width * height;
  const together = area(a) + area(b) - shared;
  return together > 0 ? shared / together : 0;
}

function area(box) {
  return (box[2] - box[0]) * (box[3] - box[1]);
}
