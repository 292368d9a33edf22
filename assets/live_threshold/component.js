// A histogram whose threshold can be dragged. During a drag, all numbers are interpolated in the table
// of the component's data; on release, the value is sent to Python and replaced by exact numbers.

const MARGIN = { left: 56, right: 10, top: 8, bottom: 40 };
const SVG = "http://www.w3.org/2000/svg";
const LEAST_KNOWN = 3;
const PAGE_STEPS = 100;
const KEY_COMMIT_MS = 350;
const DIMMED_CLASS = "prunescope-dragging";
const states = new WeakMap();

export default function (component) {
  const root = component.parentElement;
  let state = states.get(root);
  if (!state) {
    state = create(root);
    states.set(root, state);
  }
  state.component = component;
  accept(state, component.data);
  return () => {
    state.observer.disconnect();
    clearTimeout(state.timer);
    setDimmed(false);
    states.delete(root);
  };
}

function create(root) {
  const find = (selector) => root.querySelector(selector);
  const state = {
    plot: find(".plot"), svg: find("svg"), handle: find(".handle"), mirror: find(".mirror"),
    summary: find(".summary"), layers: find(".layers"), layersTitle: find(".layers-title"),
    legendOfA: find(".of-a"),
    position: 0, pointer: null, frame: 0, timer: 0, data: null,
  };
  state.plot.addEventListener("pointerdown", (event) => startDrag(state, event));
  state.plot.addEventListener("pointermove", (event) => isDragging(state, event) && drag(state, event));
  state.plot.addEventListener("pointerup", (event) => isDragging(state, event) && release(state));
  state.plot.addEventListener("pointercancel", (event) => isDragging(state, event) && goBack(state));
  state.handle.addEventListener("keydown", (event) => pressKey(state, event));
  state.observer = new ResizeObserver(() => state.data && layOut(state));
  state.observer.observe(state.plot);
  return state;
}

// ------------------------------------------------------------------ new data

function accept(state, data) {
  if (!data || state.pointer !== null || state.timer) return;
  state.data = data;
  state.reference = referenceThresholds(data);
  const sign = signOf(data);
  state.signedValues = data.values.map((value) => sign * value);
  state.position = positionOf(state.signedValues, sign * data.value);
  state.shown = {
    value: data.value,
    counts: data.groups.map((group) => group.removed),
    thresholds: data.groups.map((group) => group.threshold),
    parameters: data.parameters,
    isExact: true,
  };
  state.line = lineOf(state, state.shown);
  state.known = knownPoints(state, data);
  setDimmed(false);
  layOut(state);
}

// Values of some rules fall while more is removed.
function signOf(data) {
  return data.values.at(-1) >= data.values[0] ? 1 : -1;
}

// The handle of several layers stands at the mean of their thresholds.
function referenceThresholds(data) {
  if (data.thresholds) return data.thresholds;
  const groups = data.groups.filter((group) => group.bins);
  const units = sum(groups.map((group) => group.units));
  return data.values.map(
    (_, k) => sum(groups.map((group) => group.units * group.thresholds[k])) / units);
}

function lineOf(state, shown) {
  const groups = state.data.groups;
  let weighted = 0, units = 0;
  groups.forEach((group, index) => {
    if (!group.bins) return;
    weighted += group.units * shown.thresholds[index];
    units += group.units;
  });
  return units ? weighted / units : 0;
}

// Measured accuracies by position in the table.
function knownPoints(state, data) {
  const sign = signOf(data);
  const points = data.known.map(([value, accuracy]) =>
    [positionOf(state.signedValues, sign * value), accuracy]);
  points.sort((one, other) => one[0] - other[0]);
  return points.length >= LEAST_KNOWN ? points : [];
}

function interpolatedAccuracy(state) {
  const positions = state.known.map((point) => point[0]);
  const isInside = state.position >= positions[0] && state.position <= positions.at(-1);
  if (!state.known.length || !isInside) return null;
  return at(state.known.map((point) => point[1]), positionOf(positions, state.position));
}

// ------------------------------------------------------------------ interpolation

function sum(numbers) { return numbers.reduce((total, number) => total + number, 0); }

// Fractional index of a number in rising numbers.
function positionOf(numbers, number) {
  let low = 0, high = numbers.length - 1;
  if (!(number > numbers[low])) return low;
  if (number >= numbers[high]) return high;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (numbers[middle] <= number) low = middle; else high = middle;
  }
  const gap = numbers[high] - numbers[low];
  return gap > 0 ? low + (number - numbers[low]) / gap : low;
}

function at(numbers, position) {
  const low = Math.floor(position), high = Math.min(low + 1, numbers.length - 1);
  const part = position - low;
  return part ? numbers[low] * (1 - part) + numbers[high] * part : numbers[low];
}

function moveTo(state, position) {
  const data = state.data;
  state.position = Math.min(Math.max(position, 0), data.values.length - 1);
  const counts = data.groups.map((group) => at(group.counts, state.position));
  const thresholds = data.groups.map(
    (group) => at(group.thresholds || data.thresholds, state.position));
  const knots = data.parameter_counts;
  const knot = positionOf(knots.map((pair) => pair[0]), sum(counts));
  state.shown = {
    value: at(data.values, state.position), counts, thresholds,
    parameters: at(knots.map((pair) => pair[1]), knot), isExact: false,
  };
  state.line = at(state.reference, state.position);
  requestPaint(state);
}

// ------------------------------------------------------------------ pointer and keys

function startDrag(state, event) {
  if (!state.data || event.button > 0 || state.pointer !== null) return;
  state.pointer = event.pointerId;
  stopTimer(state);
  state.plot.setPointerCapture(event.pointerId);
  state.handle.focus({ preventScroll: true });
  event.preventDefault();
  drag(state, event);
}

function drag(state, event) {
  const box = state.plot.getBoundingClientRect();
  const { low, high, mirrored } = state.data;
  const width = box.width - MARGIN.left - MARGIN.right;
  const x = low + ((event.clientX - box.left - MARGIN.left) / width) * (high - low);
  setDimmed(true);
  const threshold = mirrored ? Math.abs(x) : x;
  const isBeyond = x >= high || (mirrored && x <= low);
  const position = positionOf(state.reference, threshold);
  moveTo(state, isBeyond ? Math.max(position, firstWithout(state.data)) : position);
}

function isDragging(state, event) {
  return state.pointer !== null && state.pointer === event.pointerId;
}

// First index at which nothing of what is shown is left.
function firstWithout(data) {
  const groups = data.groups.filter((group) => group.bins);
  return data.values.findIndex((_, k) =>
    groups.every((group) => group.counts[k] >= group.counts.at(-1)));
}

function endDrag(state) {
  if (state.plot.hasPointerCapture(state.pointer)) {
    state.plot.releasePointerCapture(state.pointer);
  }
  state.pointer = null;
}

function release(state) {
  endDrag(state);
  commit(state);
}

// The pointer is used for scrolling: the drag is undone.
function goBack(state) {
  endDrag(state);
  accept(state, state.component.data);
}

function stopTimer(state) {
  clearTimeout(state.timer);
  state.timer = 0;
}

function pressKey(state, event) {
  if (!state.data) return;
  const { values, step } = state.data;
  const page = step ? PAGE_STEPS : values.length / 20;
  const moves = {
    ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1,
    PageUp: page, PageDown: -page, Home: -Infinity, End: Infinity,
  };
  if (!(event.key in moves)) return;
  event.preventDefault();
  event.stopPropagation();  // the page has shortcuts, too
  setDimmed(true);
  const move = moves[event.key];
  const isStep = step && Number.isFinite(move);
  moveTo(state, isStep ? positionOf(values, state.shown.value + move * step) : state.position + move);
  stopTimer(state);
  state.timer = setTimeout(() => commit(state), KEY_COMMIT_MS);
}

function commit(state) {
  stopTimer(state);
  state.component.setTriggerValue("released", state.shown.value);
}

// The measured accuracy is that of the threshold before the drag.
function setDimmed(isDimmed) {
  document.body.classList.toggle(DIMMED_CLASS, isDimmed);
}

// ------------------------------------------------------------------ painting

function requestPaint(state) {
  if (state.frame) return;
  state.frame = requestAnimationFrame(() => {
    state.frame = 0;
    paint(state);
  });
}

function element(parent, name, attributes) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  parent.appendChild(node);
  return node;
}

function layOut(state) {
  const { data, svg, plot } = state;
  const width = plot.clientWidth, height = plot.clientHeight;
  if (!width) return;
  svg.replaceChildren();
  svg.setAttribute("aria-label", data.alt);
  const bottom = height - MARGIN.bottom, inner = width - MARGIN.left - MARGIN.right;
  const totals = data.kept.map((kept, bin) =>
    kept + data.removed[bin] + sum(data.groups.map((group) => (group.bins ? group.bins[bin] : 0))));
  const most = Math.max(...totals, ...(data.kept_in_a || []), 1);
  const scaled = (count) => (data.log ? Math.log10(1 + count) / Math.log10(1 + most) : count / most);
  state.x = (value) => MARGIN.left + ((value - data.low) / (data.high - data.low)) * inner;
  state.y = (count) => bottom - scaled(count) * (bottom - MARGIN.top);
  state.totalsOfBins = totals;
  drawAxes(state, width, height, most);
  state.removedBars = element(svg, "path", { class: "bar-removed" });
  state.keptBars = element(svg, "path", { class: "bar-kept" });
  drawKeptInA(state);
  state.layerLines = element(svg, "path", { class: "layer-line" });
  state.accuracyLine = element(svg, "path", { class: "accuracy-line" });
  drawLayers(state);
  paint(state);
}

// The network that is compared does not change while the threshold is dragged.
function drawKeptInA(state) {
  const counts = state.data.kept_in_a;
  state.legendOfA.style.display = counts ? "flex" : "none";
  if (counts) element(state.svg, "path", { class: "kept-in-a", d: area(state, counts) });
}

function drawAxes(state, width, height, most) {
  const { data, svg } = state;
  const bottom = height - MARGIN.bottom;
  for (const count of countTicks(most, data.log)) {
    const y = state.y(count);
    element(svg, "line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: y, y2: y });
    element(svg, "text", { x: MARGIN.left - 6, y: y + 4, "text-anchor": "end" })
      .textContent = shortNumber(count);
  }
  for (const value of ticks(data.low, data.high, Math.max(3, width / 110))) {
    element(svg, "text", { x: state.x(value), y: bottom + 16, "text-anchor": "middle" })
      .textContent = Number(value.toPrecision(6)).toString().replace("-", "\u2212");
  }
  element(svg, "text", { x: MARGIN.left + (width - MARGIN.left) / 2, y: height - 6,
    "text-anchor": "middle" }).textContent = data.title;
  element(svg, "text", { x: 12, y: bottom / 2, "text-anchor": "middle",
    transform: `rotate(-90 12 ${bottom / 2})` })
    .textContent = data.log ? "number in bin (log)" : "number in bin";
}

function ticks(low, high, wanted) {
  const rough = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const values = [];
  for (let k = Math.ceil(low / step); k * step <= high; k += 1) values.push(k * step);
  return values;
}

function countTicks(most, isLog) {
  if (!isLog) return ticks(0, most, 4).filter((count) => Number.isInteger(count));
  const values = [0];
  for (let power = 1; power <= most; power *= 10) values.push(power);
  return values;
}

function shortNumber(count) {
  if (count >= 1e6) return `${Number((count / 1e6).toPrecision(3))}M`;
  return count >= 1e3 ? `${Number((count / 1e3).toPrecision(3))}k` : String(count);
}

function drawLayers(state) {
  const { unit, of_remaining: isOfRemaining } = state.data;
  state.layersTitle.textContent = isOfRemaining
    ? `Share of the ${unit}s that this step removes, of those that earlier steps have left`
    : `Share of the ${unit}s that is removed`;
  state.layers.replaceChildren();
  state.fills = [];
  state.shares = [];
  for (const group of state.data.groups) {
    const row = document.createElement("div");
    row.className = "layer";
    const parts = ["name", "track", "share"].map((name) => {
      const part = document.createElement("span");
      part.className = name;
      row.appendChild(part);
      return part;
    });
    parts[0].textContent = group.name;
    parts[0].title = group.name;
    const fill = document.createElement("span");
    fill.className = "fill";
    parts[1].appendChild(fill);
    state.fills.push(fill);
    state.shares.push(parts[2]);
    state.layers.appendChild(row);
  }
}

// Share of a bin that is below a threshold; bins of weights count by their absolute values.
function shareBelow(left, right, threshold, mirrored) {
  const from = mirrored ? Math.max(left, -threshold) : left;
  const to = Math.min(right, threshold);
  return Math.min(1, Math.max(0, (to - from) / (right - left)));
}

function keptInBins(state) {
  const { data, shown } = state;
  const bins = data.kept.length, step = (data.high - data.low) / bins;
  const kept = data.kept.slice();
  data.groups.forEach((group, index) => {
    if (!group.bins) return;
    const removable = sum(group.bins);
    const isEverything = removable > 0 && shown.counts[index] >= removable;
    const threshold = isEverything ? Infinity : shown.thresholds[index];
    for (let bin = 0; bin < bins; bin += 1) {
      if (!group.bins[bin]) continue;
      const left = data.low + bin * step;
      kept[bin] += group.bins[bin] * (1 - shareBelow(left, left + step, threshold, data.mirrored));
    }
  });
  return kept;
}

function area(state, counts) {
  const { data } = state;
  const step = (data.high - data.low) / counts.length, zero = state.y(0).toFixed(1);
  let path = `M${state.x(data.low).toFixed(1)},${zero}`;
  counts.forEach((count, bin) => {
    path += `V${state.y(count).toFixed(1)}H${state.x(data.low + (bin + 1) * step).toFixed(1)}`;
  });
  return `${path}V${zero}Z`;
}

function paint(state) {
  if (!state.x) return;
  state.removedBars.setAttribute("d", area(state, state.totalsOfBins));
  state.keptBars.setAttribute("d", area(state, keptInBins(state)));
  placeHandles(state);
  writeSummary(state);
  state.data.groups.forEach((group, index) => {
    const share = group.units ? state.shown.counts[index] / group.units : 0;
    state.fills[index].style.width = `${100 * share}%`;
    state.shares[index].textContent = `${(100 * share).toFixed(1)}%`;
  });
}

function placeHandles(state) {
  const { data, handle, mirror } = state;
  const least = data.mirrored ? 0 : data.low;  // no weight is below a negative threshold
  const clipped = (value) => Math.min(Math.max(value, least), data.high);
  handle.style.left = `${state.x(clipped(state.line))}px`;
  mirror.style.display = data.mirrored ? "" : "none";
  mirror.style.left = `${state.x(-clipped(state.line))}px`;
  const lines = data.thresholds ? [] : state.shown.thresholds;
  const bottom = state.plot.clientHeight - MARGIN.bottom;
  let path = "";
  lines.forEach((line, index) => {
    if (!data.groups[index].bins || line > data.high) return;
    const x = state.x(clipped(line)).toFixed(1);
    path += `M${x},${MARGIN.top}V${bottom}`;
  });
  state.layerLines.setAttribute("d", path);
  state.accuracyLine.setAttribute("d", state.shown.isExact ? "" : accuracyPath(state, bottom));
}

function accuracyPath(state, bottom) {
  const { low, high } = state.data;
  const points = state.known.map(([position, accuracy]) => {
    const x = state.x(Math.min(Math.max(at(state.reference, position), low), high));
    return `${x.toFixed(1)},${(bottom - accuracy * (bottom - MARGIN.top)).toFixed(1)}`;
  });
  return points.length ? `M${points.join("L")}` : "";
}

function range(numbers, format) {
  const low = format(Math.min(...numbers)), high = format(Math.max(...numbers));
  return low === high ? low : `${low} to ${high}`;
}

function writeSummary(state) {
  const { data, shown, handle } = state;
  const units = sum(data.groups.map((group) => group.units));
  const removed = sum(shown.counts);
  const about = shown.isExact ? "" : "about ";
  const short = (number) => Number(number.toPrecision(4)).toString();
  const value = data.percent ? `${(100 * shown.value).toFixed(1)}%` : short(shown.value);
  const parts = [
    `${data.label} ${value}`,
    `score below ${range(shown.thresholds, short)}`,
    `${about}${Math.round(removed).toLocaleString("en")} of ${units.toLocaleString("en")} ` +
      `${data.unit}s${data.of_remaining ? " that earlier steps have left" : ""} ` +
      `(${((100 * removed) / units).toFixed(2)}%)`,
  ];
  const sigmas = data.groups.map((group, index) => [group.sigma, shown.thresholds[index]])
    .filter(([sigma]) => sigma > 0).map(([sigma, threshold]) => threshold / sigma);
  if (sigmas.length) parts.push(`${range(sigmas, (sigma) => sigma.toFixed(2))} \u03c3`);
  const kept = Math.round(shown.parameters);
  parts.push(`${about}${kept.toLocaleString("en")} parameters left (masked), ` +
    `${(data.all_parameters / Math.max(1, kept)).toFixed(2)}x`);
  const accuracy = shown.isExact ? null : interpolatedAccuracy(state);
  if (accuracy !== null) {
    parts.push(`accuracy about ${(100 * accuracy).toFixed(1)}%, interpolated between ` +
      `${state.known.length} ${data.points_name} (thin line, 0 to 100%)`);
  }
  state.summary.textContent = parts.join(" \u00b7 ");
  handle.setAttribute("aria-label", `${data.label}, threshold`);
  handle.setAttribute("aria-valuemin", 0);
  handle.setAttribute("aria-valuemax", 100);
  handle.setAttribute("aria-valuenow", ((100 * removed) / units).toFixed(1));
  handle.setAttribute("aria-valuetext", parts.slice(0, 3).join(", "));
}
