// The page as `edgevit` drives it: requests come as events, tensors and answers go by messages of
// four bytes with the length of a JSON header, the header, the tensors' bytes.

import { RUNTIMES, offered, threadsFor, timed, typed } from "./runtimes.js";

const TEXT = { encode: new TextEncoder(), decode: new TextDecoder() };

export function listen(facts, base) {
  const events = new EventSource("requests");
  let opened = null;

  const verbs = {
    look: async () => [await offered(), []],
    async open({ runtime, threads }) {
      const chosen = RUNTIMES.find((one) => one.id === runtime);
      if (!chosen) throw new Error(`this page has no runtime ${runtime}`);
      const asked = threadsFor(threads, await offered());
      opened = await chosen.open({ facts, base, threads: asked });
      return [{ inputs: opened.inputs, outputs: opened.outputs, threads: opened.threads }, []];
    },
    run: async (request) => [{}, await opened.run(await arrays(request))],
    time: async (request) => [{ milliseconds: await timed(opened, await arrays(request), request.repeats) }, []],
  };

  async function arrays({ number }) {
    const response = await fetch(`inputs/${number}`, { method: "POST" });
    return unpacked(await response.arrayBuffer());
  }

  events.onmessage = async ({ data }) => {
    const request = JSON.parse(data);
    if (request.verb === "reload") {
      events.close();
      location.reload();
      return;
    }
    let message;
    try {
      message = packed(...(await verbs[request.verb](request)));
    } catch (error) {
      message = packed({ error: String(error?.message ?? error) || "it gives no reason" }, []);
    }
    await fetch(`answer/${request.number}`, { method: "POST", body: message });
  };
}

function unpacked(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(TEXT.decode.decode(new Uint8Array(buffer, 4, length)));
  let place = 4 + length;
  return header.tensors.map(({ dtype, bytes }) => {
    const part = buffer.slice(place, place + bytes);
    place += bytes;
    return typed(dtype, part);
  });
}

function packed(facts, tensors) {
  const about = tensors.map(({ dtype, shape, data }) => ({ dtype, shape, bytes: data.byteLength }));
  const header = TEXT.encode.encode(JSON.stringify({ ...facts, tensors: about }));
  const length = new Uint8Array(new Uint32Array([header.byteLength]).buffer);
  return new Blob([length, header, ...tensors.map(({ data }) => data)]);
}
