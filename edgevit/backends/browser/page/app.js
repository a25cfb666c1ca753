// The page for people: a picture or the camera in, the five likeliest labels and latency out.

import { RUNTIMES, offered, threadsFor, timed, typed } from "./runtimes.js";
import { best, draw, prepared } from "./picture.js";

const WARMUP = 5;
const MOST_RUNS = 50;
const BUDGET = 2000; // milliseconds of measuring, a runtime
const BASE = new URL("./", location.href);
const BYTES = { float64: 8, int64: 8, float32: 4, int32: 4, int16: 2, int8: 1, uint8: 1, bool: 1 };

const at = (id) => document.getElementById(id);
const pause = () => new Promise((done) => setTimeout(done, 20));
const say = (text) => (at("state").textContent = text);

let facts, about, chosen, opened, camera;
let busy = false;

start().catch((error) => say(String(error?.message ?? error)));

async function start() {
  facts = await (await fetch(new URL("page.json", BASE))).json();
  if (location.hash === "#check") {
    const { listen } = await import("./check.js");
    return listen(facts, BASE);
  }
  about = await offered();
  document.title = facts.name;
  at("name").textContent = facts.name;
  at("about").textContent = `${facts.precision} · ${shape(facts.inputs)} in, ${shape(facts.outputs)} out`;
  at("here").textContent = `${about.agent} · ${about.cores} cores · ${about.gpu ? `WebGPU: ${about.gpu}` : "no WebGPU"}`;
  at("alone").hidden = about.isolated;
  for (const runtime of usable()) at("runtime").append(new Option(runtime.title, runtime.id));
  for (const runtime of RUNTIMES) at("figures").append(row(runtime));
  at("runtime").onchange = () => guarded(() => choose(at("runtime").value));
  at("measure").onclick = () => guarded(measureAll);
  if (facts.prepare) withPictures();
  else at("pictures").hidden = true;
  const known = usable().map((one) => one.id);
  const before = localStorage.getItem(remembered());
  const first = [before, facts.runtime, ...known].find((id) => known.includes(id));
  await guarded(() => choose(first));
  if (location.hash === "#run") await guarded(measureAll);
}

const remembered = () => `fastest of ${facts.name} ${facts.precision}`;
const usable = () => RUNTIMES.filter((one) => !one.gpu || about.gpu);
const shape = (ports) => ports.map((port) => `${port.shape.join("×") || "scalar"} ${port.dtype}`).join(", ");

/** One thing at a time; what fails is told. */
async function guarded(step) {
  if (busy) return;
  busy = true;
  for (const button of document.querySelectorAll("button, select, input")) button.disabled = true;
  try {
    await step();
  } catch (error) {
    say(String(error?.message ?? error));
  } finally {
    busy = false;
    for (const button of document.querySelectorAll("button, select, input")) button.disabled = false;
  }
}

async function choose(id) {
  chosen = RUNTIMES.find((one) => one.id === id);
  at("runtime").value = id;
  say(`opening ${chosen.title} …`);
  await pause();
  await opened?.close();
  opened = null;
  opened = await chosen.open({ facts, base: BASE, threads: threadsFor(facts.threads, about) });
  say(`${chosen.title}, ${threads(opened.threads)}`);
}

const threads = (count) => (count === 1 ? "1 thread" : `${count} threads`);

// Latency.

function row(runtime) {
  const line = document.createElement("tr");
  line.id = runtime.id;
  const head = document.createElement("th");
  head.scope = "row";
  head.textContent = runtime.title;
  line.append(head);
  for (let k = 0; k < 3; k += 1) line.append(document.createElement("td"));
  fill(line, runtime.gpu && !about.gpu ? ["not offered", "", ""] : ["–", "", ""]);
  return line;
}

const fill = (line, texts) => texts.forEach((text, k) => (line.cells[k + 1].textContent = text));

async function measureAll() {
  let fastest = at("runtime").value;
  const figures = [];
  for (const runtime of usable()) {
    const line = at(runtime.id);
    fill(line, ["…", "", ""]);
    try {
      const begin = performance.now();
      await choose(runtime.id);
      const opening = performance.now() - begin;
      say(`measuring ${runtime.title} …`);
      await pause();
      const figure = { runtime: runtime.id, threads: opened.threads, open_ms: opening, ...(await measured(opened)) };
      figures.push(figure);
      fill(line, [short(figure.median), `${short(figure.low)} to ${short(figure.high)}`, `${figure.threads}`]);
    } catch (error) {
      fill(line, ["fails", String(error?.message ?? error).slice(0, 200), ""]);
    }
  }
  if (figures.length) {
    const first = figures.reduce((a, b) => (b.median < a.median ? b : a));
    for (const figure of figures) at(figure.runtime).classList.toggle("first", figure === first);
    fastest = first.runtime;
    localStorage.setItem(remembered(), fastest);
  }
  await choose(fastest);
  await report(figures);
}

async function measured(runtime) {
  const inputs = facts.inputs.map(drawn);
  const warm = await timed(runtime, inputs, WARMUP);
  const usual = Math.max(warm.at(-1), 0.01);
  const times = await timed(runtime, inputs, Math.max(3, Math.min(MOST_RUNS, Math.round(BUDGET / usual))));
  const [low, median, high] = [0.25, 0.5, 0.75].map((share) => quantile(times, share));
  return { warmup: WARMUP, runs: times.length, low, median, high, times };
}

function drawn(port) {
  const count = port.shape.reduce((a, b) => a * b, 1);
  const array = typed(port.dtype, new ArrayBuffer(count * BYTES[port.dtype]));
  if (port.dtype.startsWith("float")) for (let k = 0; k < count; k += 1) array[k] = Math.sin(k * 12.9898) * 1.7;
  return array;
}

function quantile(times, share) {
  const sorted = [...times].sort((a, b) => a - b);
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  return sorted[below] + (place - below) * ((sorted[below + 1] ?? sorted[below]) - sorted[below]);
}

const short = (value) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));
const ms = (value) => `${short(value)} ms`;

/** Hand the figures to `edgevit serve`, if that serves the page. */
async function report(figures) {
  if (!facts.figures || !figures.length) return;
  const body = JSON.stringify({ ...about, figures });
  const response = await fetch(new URL(facts.figures, BASE), { method: "POST", body });
  say(response.ok ? "the figures are in the store" : `the figures were not taken: ${await response.text()}`);
}

// Pictures.

function withPictures() {
  at("file").onchange = () => guarded(() => take(at("file").files[0]));
  at("camera").onclick = () => (camera ? stopCamera() : guarded(startCamera));
  at("camera").hidden = !navigator.mediaDevices?.getUserMedia;
  const zone = at("pictures");
  zone.ondragover = (event) => event.preventDefault();
  zone.ondrop = (event) => {
    event.preventDefault();
    guarded(() => take(event.dataTransfer.files[0]));
  };
}

async function take(file) {
  if (!file) return;
  stopCamera();
  const picture = await createImageBitmap(file);
  await classify(picture, picture.width, picture.height);
}

async function classify(source, width, height) {
  const pixels = draw(at("seen"), source, width, height, facts.prepare);
  at("seen").hidden = false;
  at("empty").hidden = true;
  const values = prepared(pixels, facts.prepare);
  const port = opened.inputs[0];
  const begin = performance.now();
  const [result] = await opened.run([port.dtype === "float32" ? values : typed(port.dtype, Uint8Array.from(values).buffer)]);
  say(`${chosen.title}, ${threads(opened.threads)}: ${ms(performance.now() - begin)}`);
  show(result);
}

function show(result) {
  const count = result.shape.at(-1);
  at("best").replaceChildren();
  if (result.data.length !== count) {
    at("best").append(item(`an output of ${result.shape.join("×")}`, null));
    return;
  }
  for (const { index, share } of best(result.data)) at("best").append(item(facts.labels[index] ?? `class ${index}`, share));
}

function item(label, share) {
  const line = document.createElement("li");
  const name = document.createElement("span");
  name.textContent = label;
  line.append(name);
  if (share !== null) {
    const bar = document.createElement("meter");
    bar.value = share;
    const text = document.createElement("b");
    text.textContent = `${(100 * share).toFixed(1)} %`;
    line.append(text, bar);
  }
  return line;
}

async function startCamera() {
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  const video = document.createElement("video");
  video.playsInline = video.muted = true;
  video.srcObject = stream;
  await video.play();
  camera = { stream, video };
  at("camera").textContent = "Stop the camera";
  watch();
}

async function watch() {
  while (camera) {
    const { video } = camera;
    if (!busy && opened && video.videoWidth) {
      try {
        await classify(video, video.videoWidth, video.videoHeight);
      } catch (error) {
        stopCamera();
        say(String(error?.message ?? error));
      }
    }
    await pause();
  }
}

function stopCamera() {
  for (const track of camera?.stream.getTracks() ?? []) track.stop();
  camera = null;
  at("camera").textContent = "Camera";
}
