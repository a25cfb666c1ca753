// The graph as a picture: modules as boxes that open, ranked from the top; no library, nothing from the network.
(() => {
  const room = document.getElementById("picture-of-graph");
  const source = document.getElementById("graph-data");
  if (!room || !source) return;
  const data = JSON.parse(source.textContent);
  const SVG = "http://www.w3.org/2000/svg";
  const GAP = 18, RANK = 34, PAD = 12, HEAD = 26, BOX = 40, LETTER = 7.2, FIRST = 26, COLOURS = 8;
  const KINDS = [
    ["convolution", /^conv/], ["product", /^(linear|matmul|bmm|mm|addmm|baddbmm|einsum|mv|scaled_dot)/],
    ["norm or mean", /norm|^(mean|var|rsqrt)/], ["activation", /^(relu|gelu|silu|sigmoid|tanh|softmax|hardswish|hardsigmoid|exp|erf|elu|leaky|softplus|mish)/],
    ["arithmetic", /^(add|sub|mul|div|neg|pow|sqrt|abs|sum|minimum|maximum|clamp)/], ["input or output", /^(input|output)$/],
  ];
  const state = { when: "after", colour: 0, zoom: 1, open: new Set(), chosen: null };
  const make = (name, attributes = {}, ...content) => {
    const svg = ["svg", "g", "rect", "path", "text", "title"].includes(name);
    const element = svg ? document.createElementNS(SVG, name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...content);
    return element;
  };
  const button = (words, act, label) => {
    const made = make("button", { type: "button", ...(label ? { "aria-label": label } : {}) }, words);
    made.addEventListener("click", act);
    return made;
  };

  // The tree of modules. A leaf is a node of the graph; a module of one entry is that entry under its own name.
  const tree = (nodes) => {
    const root = { path: "", children: [], first: 0 };
    const modules = new Map([["", root]]);
    const module = (path) => {
      if (modules.has(path)) return modules.get(path);
      const above = module(path.slice(0, Math.max(path.lastIndexOf("."), 0)));
      const own = { path, children: [], above };
      modules.set(path, own);
      above.children.push(own);
      return own;
    };
    nodes.forEach(([name, op, type, place, inputs, rules, macs], index) => {
      const [path, line] = data.places[place];
      const above = module(path);
      above.children.push({ index, name, op, type, path, line, inputs, rules, macs, above, leaf: true });
    });
    const settle = (own) => {
      own.children = own.children.map(settle);
      own.nodes = own.leaf ? [own.index] : own.children.flatMap((child) => child.nodes);
      own.first = Math.min(...own.nodes);
      own.children.sort((a, b) => a.first - b.first);
      if (own.leaf || own === root || own.children.length > 1) return own;
      const [only] = own.children;
      only.above = own.above;
      return only;
    };
    const leafless = (own) => { if (own.leaf) own.children = []; else own.children.forEach(leafless); };
    leafless(root);
    return settle(root);
  };
  const graphs = Object.fromEntries(Object.entries(data.graphs).map(([when, nodes]) => {
    const root = tree(nodes), leaves = [];
    const walk = (own) => { if (own.leaf) leaves[own.index] = own; own.children.forEach(walk); };
    walk(root);
    return [when, { root, leaves }];
  }));
  const graph = () => graphs[state.when];
  const key = (own) => own.leaf ? "node " + own.index : "module " + own.path;
  const isOpen = (own) => !own.leaf && (own === graph().root || state.open.has(own.path));
  const title = (own) => {
    const above = own.above && own.above.path ? own.above.path + "." : "";
    const path = own.path.startsWith(above) ? own.path.slice(above.length) : own.path === (own.above || {}).path ? "" : own.path;
    return own.leaf ? (path ? path + " · " : "") + own.op : path;
  };
  // Open modules of modules from the top as long as the picture stays readable.
  const openFirst = () => {
    state.open.clear();
    let level = [graph().root], boxes = graph().root.children.length;
    while (level.length) {
      const holds = (own) => own.children.filter((child) => !child.leaf).length * 2 > own.children.length;
      level = level.flatMap((own) => own.children.filter(holds));
      for (const own of level) {
        if (boxes + own.children.length - 1 > FIRST) return;
        state.open.add(own.path);
        boxes += own.children.length - 1;
      }
    }
  };

  // Layout: within each open module, entries are ranked by their longest way from the top.
  const measure = (own) => {
    own.rows = [];
    if (!isOpen(own)) {
      const small = subtitle(own);
      own.width = Math.max(70, 20 + LETTER * Math.max(title(own).length + (own.leaf ? 0 : 2), small.length * 0.86));
      own.height = BOX;
      return;
    }
    own.children.forEach(measure);
    const owner = new Map();
    own.children.forEach((child) => child.nodes.forEach((index) => owner.set(index, child)));
    own.children.forEach((child) => { child.rank = 0; child.before = new Set(); });
    own.links = new Map();
    for (const child of own.children) for (const index of child.nodes) for (const input of graph().leaves[index].inputs) {
      const from = owner.get(input);
      if (from && from !== child && from.first < child.first) child.before.add(from);
    }
    for (const child of own.children) {
      for (const from of child.before) child.rank = Math.max(child.rank, from.rank + 1);
      (own.rows[child.rank] ||= []).push(child);
    }
    place(own);
  };
  const place = (own) => {
    let y = own === graph().root ? PAD : HEAD + PAD;
    for (const row of own.rows) {
      const middle = (child) => {
        const xs = [...child.before].map((from) => from.x + from.width / 2);
        return xs.length ? xs.reduce((a, b) => a + b, 0) / xs.length : 0;
      };
      const aims = new Map(row.map((child) => [child, middle(child)]));
      row.sort((a, b) => aims.get(a) - aims.get(b));
      let x = -Infinity, off = 0;
      for (const child of row) {
        child.x = Math.max(x, aims.get(child) - child.width / 2);
        off += child.x + child.width / 2 - aims.get(child);
        x = child.x + child.width + GAP;
      }
      for (const child of row) { child.x -= off / row.length; child.y = y; }
      y += Math.max(...row.map((child) => child.height)) + RANK;
    }
    const left = Math.min(...own.children.map((child) => child.x));
    const right = Math.max(...own.children.map((child) => child.x + child.width));
    const skips = own.children.some((child) => [...child.before].some((from) => child.rank > from.rank + 1));
    const aside = PAD + (skips ? 28 : 0);
    const wide = Math.max(right - left + 2 * aside, 30 + LETTER * (title(own).length + 2));
    const shift = (wide - (right - left)) / 2 - left;
    for (const child of own.children) child.x += shift;
    own.width = wide;
    own.height = y - RANK + PAD;
  };

  // Colours: words by a palette, numbers by their share of the largest.
  const figure = () => data.figures[state.colour];
  const entries = (own) => {
    const of = figure();
    if (!of || state.when !== "after") return [];
    return own.nodes.map((index) => of.of[index]).filter((entry) => entry !== null);
  };
  const number = (own, of = figure()) => {
    const all = own.nodes.map((index) => of.of[index]).filter((entry) => entry !== null);
    return all.length ? (of.worst ? Math.min(...all) : all.reduce((a, b) => a + b, 0)) : null;
  };
  const shown = (x, unit) => (x >= 1e6 && unit === "MACs" ? (x / 1e6).toFixed(1) + " M" : x >= 1000 ? Math.round(x).toLocaleString("en") : String(+x.toPrecision(3))) + " " + unit;
  const kind = (own) => {
    const names = new Set(own.nodes.map((index) => (KINDS.find(([, test]) => test.test(graph().leaves[index].op)) || ["other"])[0]));
    return names.size === 1 ? [...names][0] : "several";
  };
  const rule = (own) => own.nodes.some((index) => graph().leaves[index].rules.length) ? "touched by rules" : "as written";
  const word = (own) => {
    if (state.colour === "kind") return kind(own);
    if (state.colour === "rules") return rule(own);
    const all = new Set(entries(own));
    return all.size === 1 ? [...all][0] : all.size ? "several" : "";
  };
  const words = () => {
    if (state.colour === "kind") return [...KINDS.map(([name]) => name), "other", "several"];
    if (state.colour === "rules") return ["touched by rules", "as written"];
    return figure().unit ? [] : [...new Set(figure().of.filter((entry) => entry !== null)), "several"];
  };
  const byNumber = () => typeof state.colour === "number" && state.when === "after" && Boolean(figure() && figure().unit);
  const paint = (own, rect, most) => {
    if (byNumber()) {
      const x = number(own);
      const share = x === null ? 0 : figure().worst ? Math.max(0, 1 - x / 60) : x / most;
      rect.style.fill = `color-mix(in srgb, var(--bar) ${Math.round(50 * Math.min(share, 1))}%, var(--soft))`;
      return;
    }
    const at = words().indexOf(word(own));
    rect.setAttribute("class", at < 0 ? "plain" : "c" + (word(own) === "several" ? "s" : at % COLOURS));
  };
  const subtitle = (own) => {
    if (byNumber()) { const x = number(own); if (x !== null) return shown(x, figure().unit); }
    return own.leaf ? own.type : own.nodes.length + (own.nodes.length === 1 ? " op" : " ops");
  };

  const drawing = make("svg", { role: "group", "aria-label": "graph of the model, modules as boxes" });
  const scroll = make("div", { class: "graph-scroll", tabindex: "0", role: "region", "aria-label": "picture of the graph" }, drawing);
  const detail = make("div", { class: "graph-detail", "aria-live": "polite" });
  const legend = make("p", { class: "graph-legend note" });
  const draw = () => {
    const { root } = graph();
    measure(root);
    drawing.replaceChildren();
    drawing.setAttribute("viewBox", `0 0 ${root.width.toFixed(0)} ${root.height.toFixed(0)}`);
    const visible = [];
    const walk = (own) => { if (isOpen(own)) own.children.forEach(walk); else visible.push(own); };
    walk(root);
    const most = byNumber() ? Math.max(...visible.map((own) => number(own) || 0), 1e-9) : 0;
    const paths = make("g", { class: "edges", "aria-hidden": "true" }), boxes = make("g");
    const put = (own, x, y) => {
      if (own !== root) boxes.append(box(own, x, y, most));
      if (!isOpen(own)) return;
      for (const child of own.children) for (const from of child.before) paths.append(edge(own, from, child, x, y));
      for (const child of own.children) put(child, x + child.x, y + child.y);
    };
    put(root, 0, 0);
    drawing.append(boxes, paths);
    zoomTo(state.zoom);
    legend.replaceChildren(...legendOf());
  };
  const edge = (own, from, to, x, y) => {
    const ax = x + from.x + from.width / 2, ay = y + from.y + from.height;
    const bx = x + to.x + to.width / 2, by = y + to.y - 2;
    if (to.rank === from.rank + 1) {
      const bend = Math.min(24, (by - ay) / 2);
      return make("path", { d: `M${ax} ${ay}C${ax} ${ay + bend} ${bx} ${by - bend} ${bx} ${by}` });
    }
    // A longer way goes round what lies between.
    const between = own.children.filter((child) => child.rank > from.rank && child.rank < to.rank);
    const right = x + Math.max(...between.map((child) => child.x + child.width)) + 10;
    return make("path", { d: `M${ax} ${ay}C${ax} ${ay + 20} ${right} ${ay + 8} ${right} ${ay + 36}L${right} ${by - 30}C${right} ${by - 6} ${bx} ${by - 18} ${bx} ${by}` });
  };
  const box = (own, x, y, most) => {
    const open = isOpen(own);
    const rect = make("rect", { x, y, width: own.width, height: own.height, rx: open ? 8 : 6 });
    const head = own.leaf ? title(own) : (open ? "▾ " : "▸ ") + title(own);
    const made = make("g", {
      tabindex: "0", role: "button", "data-key": key(own), class: open ? "module open" : own.leaf ? "leaf" : "module",
      "aria-label": own.leaf ? `${own.path} ${own.op} ${own.type}` : `module ${own.path}, ${subtitle(own)}`,
    }, rect, make("text", { x: open ? x + 10 : x + own.width / 2, y: y + 17, class: open ? "start" : "" }, head));
    if (!own.leaf) made.setAttribute("aria-expanded", String(open));
    if (open) rect.setAttribute("class", "group");
    else {
      paint(own, rect, most);
      made.append(make("text", { x: x + own.width / 2, y: y + 33, class: "small" }, subtitle(own)));
    }
    if (state.chosen === own) made.classList.add("chosen");
    made.append(make("title", {}, own.leaf ? `${own.path || "the model's own forward"}  ${own.line}` : own.path));
    return made;
  };
  const legendOf = () => {
    if (byNumber()) return [`${figure().title}: the more colour, the ${figure().worst ? "noisier" : "more"}`];
    if (typeof state.colour === "number" && state.when !== "after") return ["Known only after the rules."];
    const all = new Set();
    const walk = (own) => { if (isOpen(own)) own.children.forEach(walk); else all.add(word(own)); };
    walk(graph().root);
    return words().filter((name) => all.has(name)).map((name) => {
      const at = name === "several" ? "s" : words().indexOf(name) % COLOURS;
      return make("span", {}, make("i", { class: "swatch c" + at }), name + " ");
    });
  };

  // What was clicked, in words. All text goes in as text.
  const line = (name, ...content) => [make("dt", {}, name), make("dd", {}, ...content)];
  const listed = (leaf) => {
    const listing = document.querySelector(`.listing[aria-label="the graph ${state.when} the rules"]`);
    const whole = listing ? listing.dataset.whole || listing.textContent : "";
    return whole.split("\n").find((row) => row.startsWith(leaf.name + " = ")) || "";
  };
  const show = (own) => {
    state.chosen = own;
    const rows = [...line("module", own.path || "the model's own forward")];
    if (own.leaf) rows.push(...line("operation", `${own.op}  ${own.type}`), ...line("your line", own.line || "unknown"));
    else rows.push(...line("operations", String(own.nodes.length)));
    if (own.leaf && listed(own)) rows.push(...line("call", make("code", {}, listed(own))));
    const rules = [...new Set(own.nodes.flatMap((index) => graph().leaves[index].rules))].map((index) => data.rules[index]);
    rows.push(...line("rules that touched it", rules.join(", ") || "none"));
    if (state.when === "after") for (const of of data.figures) {
      const all = own.nodes.map((index) => of.of[index]).filter((entry) => entry !== null);
      if (all.length) rows.push(...line(of.title, of.unit ? shown(number(own, of), of.unit) : [...new Set(all)].join(", ")));
    }
    if (own.leaf) {
      const link = (index) => button(graph().leaves[index].name, () => reveal(graph().leaves[index]));
      const readers = graph().leaves.filter((leaf) => leaf.inputs.includes(own.index)).map((leaf) => leaf.index);
      if (own.inputs.length) rows.push(...line("reads", ...own.inputs.map(link)));
      if (readers.length) rows.push(...line("is read by", ...readers.map(link)));
    }
    detail.replaceChildren(make("dl", {}, ...rows));
  };
  const at = (own) => [...drawing.querySelectorAll("[data-key]")].find((made) => made.dataset.key === key(own));
  const focus = (own) => {
    const made = at(own);
    if (!made) return;
    made.focus({ preventScroll: true });
    const [inner, outer] = [made.getBoundingClientRect(), scroll.getBoundingClientRect()];
    if (inner.left < outer.left || inner.right > outer.right) scroll.scrollLeft += inner.left - outer.left - 20;
    if (inner.top < outer.top || inner.top + 40 > outer.bottom) scroll.scrollTop += inner.top - outer.top - 40;
  };
  const reveal = (own) => {
    for (let above = own.above; above && above !== graph().root; above = above.above) state.open.add(above.path);
    show(own);
    draw();
    focus(own);
  };
  const act = (own) => {
    if (!own.leaf) { if (isOpen(own)) state.open.delete(own.path); else state.open.add(own.path); }
    show(own);
    draw();
    focus(own);
  };
  const ownOf = (made) => {
    const wanted = made && made.dataset.key;
    let own = null;
    const walk = (one) => { if (key(one) === wanted) own = one; else one.children.forEach(walk); };
    if (wanted) walk(graph().root);
    return own;
  };
  drawing.addEventListener("click", (event) => { const own = ownOf(event.target.closest("[data-key]")); if (own) act(own); });

  const zoomTo = (zoom) => {
    state.zoom = Math.min(Math.max(zoom, 0.1), 4);
    drawing.setAttribute("width", (graph().root.width * state.zoom).toFixed(0));
    drawing.setAttribute("height", (graph().root.height * state.zoom).toFixed(0));
  };
  const zoomBy = (by) => {
    const before = state.zoom, [x, y] = [scroll.scrollLeft + scroll.clientWidth / 2, scroll.scrollTop + scroll.clientHeight / 2];
    zoomTo(state.zoom * by);
    scroll.scrollLeft = x * state.zoom / before - scroll.clientWidth / 2;
    scroll.scrollTop = y * state.zoom / before - scroll.clientHeight / 2;
  };
  const fit = () => zoomTo(Math.min((scroll.clientWidth - 4) / graph().root.width, 1));
  scroll.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    zoomBy(event.deltaY < 0 ? 1.15 : 1 / 1.15);
  }, { passive: false });
  scroll.addEventListener("keydown", (event) => {
    const own = ownOf(event.target.closest("[data-key]"));
    const all = [...drawing.querySelectorAll("[data-key]")];
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (own && (event.key === "Enter" || event.key === " ")) act(own);
    else if (own && event.key === "Escape" && own.above && own.above !== graph().root) { state.open.delete(own.above.path); show(own.above); draw(); focus(own.above); }
    else if (own && step) { const next = ownOf(all[all.indexOf(at(own)) + step]); if (next) focus(next); }
    else if (event.key === "+" || event.key === "=") zoomBy(1.25);
    else if (event.key === "-") zoomBy(0.8);
    else if (event.key === "0") fit();
    else return;
    event.preventDefault();
  });

  const colours = make("select", { "aria-label": "colour by" });
  data.figures.forEach((of, index) => colours.append(make("option", { value: index }, of.title)));
  for (const [name, words_] of [["kind", "kind of operation"], ["rules", "rules"]]) colours.append(make("option", { value: name }, words_));
  colours.addEventListener("change", () => { state.colour = /^\d+$/.test(colours.value) ? +colours.value : colours.value; draw(); });
  if (!data.figures.length || data.figures[0].unit === "MACs") state.colour = colours.value = "kind";
  const whens = make("select", { "aria-label": "graph" });
  for (const when of ["after", "before"]) if (graphs[when]) whens.append(make("option", { value: when }, when + " the rules"));
  whens.addEventListener("change", () => { state.when = whens.value; state.chosen = null; detail.replaceChildren(); openFirst(); draw(); fit(); });
  const search = make("input", { type: "search", placeholder: "find a module or op", "aria-label": "find a module or an operation" });
  let last = -1;
  search.addEventListener("input", () => { last = -1; });
  search.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !search.value) return;
    const wanted = search.value.toLowerCase();
    const hits = graph().leaves.filter((leaf) => `${leaf.path} ${leaf.name} ${leaf.op} ${leaf.line}`.toLowerCase().includes(wanted));
    if (!hits.length) { detail.replaceChildren(make("p", {}, `nothing has "${search.value}"`)); return; }
    last = (last + 1) % hits.length;
    reveal(hits[last]);
    search.focus({ preventScroll: true });
  });
  const openAll = () => { const walk = (own) => { if (!own.leaf) { state.open.add(own.path); own.children.forEach(walk); } }; walk(graph().root); draw(); };
  room.replaceChildren(
    make("div", { class: "graph-bar" }, make("label", {}, "colour ", colours), make("label", {}, "graph ", whens), search,
      button("+", () => zoomBy(1.25), "zoom in"), button("−", () => zoomBy(0.8), "zoom out"), button("fit", () => fit()),
      button("open all", openAll), button("close", () => { openFirst(); draw(); fit(); })),
    legend, scroll, detail);
  openFirst();
  draw();
  fit();
})();
