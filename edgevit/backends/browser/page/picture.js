// From a picture to the model's input: resized, the middle of it, each channel scaled and shifted.

/** Draw the part of `source` that the model sees onto the canvas, in the model's size. */
export function draw(canvas, source, width, height, prepare) {
  const [tall, wide] = prepare.resized;
  canvas.width = prepare.width;
  canvas.height = prepare.height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  if (prepare.border == null) {
    const scale = Math.max(wide / width, tall / height); // the shorter side fills the resized picture
    const [across, down] = [prepare.width / scale, prepare.height / scale];
    context.drawImage(source, (width - across) / 2, (height - down) / 2, across, down, 0, 0, prepare.width, prepare.height);
  } else {
    const scale = Math.min(prepare.width / width, prepare.height / height); // the whole picture, within a border
    const [across, down] = [Math.max(Math.round(width * scale), 1), Math.max(Math.round(height * scale), 1)];
    const [x, y] = [Math.floor((prepare.width - across) / 2), Math.floor((prepare.height - down) / 2)];
    context.fillStyle = `rgb(${prepare.border}, ${prepare.border}, ${prepare.border})`;
    context.fillRect(0, 0, prepare.width, prepare.height);
    context.drawImage(source, x, y, across, down);
  }
  return context.getImageData(0, 0, prepare.width, prepare.height).data;
}

/** RGBA pixels of 0-255 -> the input, as floats. */
export function prepared(pixels, { width, height, scale, offset, source, channels_last: last }) {
  const count = width * height;
  const values = new Float32Array(3 * count);
  for (let k = 0; k < count; k += 1) {
    for (let c = 0; c < 3; c += 1) {
      values[last ? 3 * k + c : c * count + k] = pixels[4 * k + source[c]] * scale[c] + offset[c];
    }
  }
  return values;
}

/** The largest five of a vector, with shares of a softmax. */
export function best(values, count = 5) {
  const numbers = Array.from(values, Number);
  const most = numbers.reduce((a, b) => Math.max(a, b), -Infinity);
  const total = numbers.reduce((sum, value) => sum + Math.exp(value - most), 0);
  return numbers
    .map((value, index) => ({ index, share: Math.exp(value - most) / total }))
    .sort((a, b) => b.share - a.share)
    .slice(0, count);
}
