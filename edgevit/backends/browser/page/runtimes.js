// The runtimes of the page. Each opens one model file; tensors are typed arrays, in the model's order.

const HERE = new URL("./", import.meta.url);
const place = (path) => new URL(path, HERE).href;
const ARRAYS = {
  float32: Float32Array, int32: Int32Array, int8: Int8Array, uint8: Uint8Array, bool: Uint8Array,
  int64: BigInt64Array, int16: Int16Array, float64: Float64Array,
};

export const RUNTIMES = [
  { id: "ort-wasm", title: "ONNX Runtime Web, CPU", model: "model.onnx", open: (options) => openOrt("wasm", options) },
  { id: "litert-wasm", title: "LiteRT.js, CPU", model: "model.tflite", open: (options) => openLiteRt("wasm", options) },
  { id: "ort-webgpu", title: "ONNX Runtime Web, WebGPU", model: "model.onnx", gpu: true, open: (options) => openOrt("webgpu", options) },
  { id: "litert-webgpu", title: "LiteRT.js, WebGPU", model: "model.tflite", gpu: true, open: (options) => openLiteRt("webgpu", options) },
];

/** What the browser offers: cores, threads of WASM, and the GPU if it gives one. */
export async function offered() {
  const adapter = navigator.gpu ? await navigator.gpu.requestAdapter().catch(() => null) : null;
  const about = adapter?.info ?? {};
  return {
    agent: navigator.userAgent,
    cores: navigator.hardwareConcurrency || 1,
    isolated: self.crossOriginIsolated === true,
    gpu: adapter ? [about.vendor, about.architecture, about.description].filter(Boolean).join(" ") || "a GPU" : "",
  };
}

/** Threads a runtime may use: as many as asked for, or as there are cores. Without isolation one. */
export function threadsFor(asked, about) {
  return about.isolated ? Math.max(1, Math.min(asked || about.cores, 64)) : 1;
}

export function typed(dtype, buffer) {
  if (!(dtype in ARRAYS)) throw new Error(`tensors of ${dtype} do not enter this page`);
  return new ARRAYS[dtype](buffer);
}

async function bytesOf(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

async function openOrt(provider, { facts, base, threads }) {
  const build = provider === "webgpu" ? "ort.webgpu.min.mjs" : "ort.wasm.min.mjs";
  const ort = await import(place(`runtime/onnxruntime-web/${build}`));
  ort.env.wasm.wasmPaths = place("runtime/onnxruntime-web/");
  ort.env.wasm.numThreads = threads;
  ort.env.logLevel = "error";
  const session = await ort.InferenceSession.create(await bytesOf(new URL("model.onnx", base)), {
    executionProviders: [provider],
    graphOptimizationLevel: "all",
  });
  const inputs = facts.inputs.map((port) => declared(port.name, session.inputNames, session.inputMetadata));
  const outputs = facts.outputs.map((port) => declared(port.name, session.outputNames, session.outputMetadata));
  return {
    inputs,
    outputs,
    threads: provider === "webgpu" ? 1 : threads,
    async run(arrays) {
      const feeds = {};
      inputs.forEach((port, k) => (feeds[port.name] = new ort.Tensor(port.dtype, arrays[k], port.shape)));
      const results = await session.run(feeds);
      return outputs.map((port) => ({ dtype: results[port.name].type, shape: [...results[port.name].dims], data: results[port.name].data }));
    },
    close: () => session.release(),
  };
}

function declared(name, names, metadata) {
  const about = metadata[names.indexOf(name)];
  if (!about || !about.isTensor) throw new Error(`the model has no tensor called ${name}`);
  return { name, dtype: about.type, shape: [...about.shape] };
}

// One build of LiteRT.js is loaded into a page, once.
let loaded;

async function openLiteRt(accelerator, { facts, base, threads }) {
  const litert = await import(place("runtime/litert/index.js"));
  loaded ??= litert.loadLiteRt(place("runtime/litert/wasm/"), {
    threads: self.crossOriginIsolated && (await litert.supportsFeature("relaxedSimd")),
  });
  await loaded;
  const options = { accelerator, cpuOptions: { numThreads: threads } };
  const model = await litert.loadAndCompile(await bytesOf(new URL("model.tflite", base)), options);
  if (accelerator === "webgpu" && !model.isFullyAccelerated) {
    throw new Error("the GPU does not take all of the model");
  }
  const inputs = facts.inputs.map((port) => detail(port.name, model.getInputDetails()));
  const outputs = facts.outputs.map((port) => detail(port.name, model.getOutputDetails()));
  return {
    inputs,
    outputs,
    threads: accelerator === "webgpu" ? 1 : threads,
    async run(arrays) {
      const feeds = {};
      inputs.forEach((port, k) => (feeds[port.name] = new litert.Tensor(arrays[k], port.shape)));
      const results = await model.run(feeds);
      const read = [];
      for (const port of outputs) {
        read.push({ dtype: port.dtype, shape: port.shape, data: (await results[port.name].data()).slice() });
      }
      for (const tensor of [...Object.values(feeds), ...new Set(Object.values(results))]) tensor.delete();
      return read;
    },
    close: () => model.delete(),
  };
}

function detail(name, details) {
  const about = details.find((one) => one.name === name);
  if (!about) throw new Error(`the model has no tensor called ${name}`);
  return { name, dtype: about.dtype, shape: [...about.shape] };
}

/** Milliseconds of `count` runs, one by one. */
export async function timed(opened, arrays, count) {
  const times = [];
  for (let k = 0; k < count; k += 1) {
    const begin = performance.now();
    await opened.run(arrays);
    times.push(performance.now() - begin);
  }
  return times;
}
