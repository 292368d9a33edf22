// A canvas for a digit. After every stroke its ink is sent to Python, reduced to data.side pixels.

const PEN_WIDTH = 22;
const ERASER_WIDTH = 34;
const SEND_MS = 150;
const MAX_UNDO = 30;
const states = new WeakMap();

export default function (component) {
  const root = component.parentElement;
  let state = states.get(root);
  if (!state) {
    state = create(root);
    states.set(root, state);
  }
  state.component = component;
  if (!state.isShown) show(state, component.data);
  return () => {
    clearTimeout(state.timer);
    states.delete(root);
  };
}

function create(root) {
  const find = (selector) => root.querySelector(selector);
  const canvas = find("canvas");
  const state = {
    canvas, context: canvas.getContext("2d", { willReadFrequently: true }),
    pen: find(".pen"), eraser: find(".eraser"), isErasing: false, history: [], timer: 0,
  };
  state.context.lineCap = "round";
  state.context.lineJoin = "round";
  canvas.addEventListener("pointerdown", (event) => begin(state, event));
  canvas.addEventListener("pointermove", (event) => draw(state, event));
  canvas.addEventListener("pointerup", (event) => end(state, event));
  canvas.addEventListener("pointercancel", (event) => end(state, event));
  state.pen.addEventListener("click", () => choose(state, false));
  state.eraser.addEventListener("click", () => choose(state, true));
  find(".undo").addEventListener("click", () => undo(state));
  find(".clear").addEventListener("click", () => clear(state));
  return state;
}

// What was drawn before, on another page or in another part of this one.
function show(state, { side, ink }) {
  state.isShown = true;
  if (!ink) return;
  const bytes = atob(ink);
  const small = document.createElement("canvas");
  small.width = side;
  small.height = side;
  const context = small.getContext("2d");
  const image = context.createImageData(side, side);
  for (let index = 0; index < bytes.length; index += 1) {
    image.data.fill(255, 4 * index, 4 * index + 3);
    image.data[4 * index + 3] = bytes.charCodeAt(index);
  }
  context.putImageData(image, 0, 0);
  state.context.drawImage(small, 0, 0, state.canvas.width, state.canvas.height);
}

function choose(state, isErasing) {
  state.isErasing = isErasing;
  state.pen.setAttribute("aria-pressed", String(!isErasing));
  state.eraser.setAttribute("aria-pressed", String(isErasing));
}

function positionOf(state, event) {
  const box = state.canvas.getBoundingClientRect();
  const scale = state.canvas.width / box.width;
  return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
}

function remember(state) {
  const { canvas, context } = state;
  state.history.push(context.getImageData(0, 0, canvas.width, canvas.height));
  if (state.history.length > MAX_UNDO) state.history.shift();
}

const PEN_ERASER = 32;

function begin(state, event) {
  const isPenEraser = Boolean(event.buttons & PEN_ERASER);
  if (state.last || (event.button > 0 && !isPenEraser)) return;  // a second finger, another button
  state.canvas.setPointerCapture(event.pointerId);
  state.pointer = event.pointerId;
  state.isStrokeErasing = state.isErasing || isPenEraser;
  remember(state);
  state.last = positionOf(state, event);
  draw(state, event);
  event.preventDefault();
}

function draw(state, event) {
  if (!state.last || event.pointerId !== state.pointer) return;
  const { context } = state;
  const next = positionOf(state, event);
  context.globalCompositeOperation = state.isStrokeErasing ? "destination-out" : "source-over";
  context.strokeStyle = "#fff";
  context.lineWidth = state.isStrokeErasing ? ERASER_WIDTH : PEN_WIDTH;
  context.beginPath();
  context.moveTo(...state.last);
  context.lineTo(...next);
  context.stroke();
  state.last = next;
}

function end(state, event) {
  if (!state.last || event.pointerId !== state.pointer) return;
  state.last = null;
  sendSoon(state);
}

function undo(state) {
  const image = state.history.pop();
  if (!image) return;
  state.context.putImageData(image, 0, 0);
  sendSoon(state);
}

function clear(state) {
  remember(state);
  state.context.clearRect(0, 0, state.canvas.width, state.canvas.height);
  sendSoon(state);
}

function sendSoon(state) {
  clearTimeout(state.timer);
  state.timer = setTimeout(() => send(state), SEND_MS);
}

// The ink is the opacity: the ground of the canvas is transparent.
function send(state) {
  const side = state.component.data.side;
  const small = document.createElement("canvas");
  small.width = side;
  small.height = side;
  const context = small.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(state.canvas, 0, 0, side, side);
  const pixels = context.getImageData(0, 0, side, side).data;
  let bytes = "";
  for (let index = 3; index < pixels.length; index += 4) bytes += String.fromCharCode(pixels[index]);
  state.component.setTriggerValue("drawn", btoa(bytes));
}
