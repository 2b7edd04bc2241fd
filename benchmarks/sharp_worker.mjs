// A worker (see worker.py): the same renditions by sharp.
// "pipelines": one for each rendition, as AWS's solution does; "pyramid": the best sharp can do,
// one decode and each width from the next wider one.
import { readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { join } from "node:path";
import sharp from "sharp";

const task = JSON.parse(process.argv[2]);
const data = readFileSync(task.source);
const mark = task.watermark && readFileSync(task.watermark);
// One thread, and nothing remembered from the round before: as the other side.
sharp.concurrency(1);
sharp.cache(false);

function encode(pipeline, format) {
  if (format === "webp") return pipeline.webp({ quality: 80, effort: 4 });
  return pipeline
    .flatten({ background: "#ffffff" })
    .jpeg({ quality: 80, chromaSubsampling: "4:2:0", optimiseCoding: true });
}

async function overlay(width, height) {
  const { data: input, info } = await sharp(mark)
    .resize(Math.round(width * 0.16))
    .png({ compressionLevel: 0 })
    .toBuffer({ resolveWithObject: true });
  const margin = Math.round(width * 0.02);
  return [{ input, left: width - info.width - margin, top: height - info.height - margin }];
}

async function size() {
  const { width, height, pageHeight, orientation } = await sharp(data, { animated: task.animated }).metadata();
  const tall = pageHeight ?? height;
  return orientation >= 5 ? [tall, width] : [width, tall];
}

async function pipelines() {
  const [fullWidth, fullHeight] = await size();
  const made = [];
  for (const asked of task.widths) {
    for (const format of task.formats) {
      const width = Math.min(asked, fullWidth);
      const height = Math.round((fullHeight * width) / fullWidth);
      let pipeline = sharp(data, { animated: task.animated })
        .autoOrient()
        .resize({ width, height, fit: "fill", kernel: "lanczos3" });
      if (mark) pipeline = pipeline.composite(await overlay(width, height));
      const bytes = await encode(pipeline, format).toBuffer();
      made.push({ asked, format, size: [width, height], bytes });
    }
  }
  return made;
}

async function pyramid() {
  const [fullWidth, fullHeight] = await size();
  const made = [];
  let wider = null;
  for (const asked of task.widths) {
    const width = Math.min(asked, fullWidth);
    const height = Math.round((fullHeight * width) / fullWidth);
    const resize = { width, height, fit: "fill", kernel: "lanczos3" };
    const source = wider ? sharp(wider.data, { raw: wider.info }) : sharp(data).autoOrient();
    wider = await source.resize(resize).raw().toBuffer({ resolveWithObject: true });
    for (const format of task.formats) {
      let pipeline = sharp(wider.data, { raw: wider.info });
      if (mark) pipeline = pipeline.composite(await overlay(width, height));
      const bytes = await encode(pipeline, format).toBuffer();
      made.push({ asked, format, size: [width, height], bytes });
    }
  }
  return made;
}

const render = { pipelines, pyramid }[task.mode];
for await (const _line of createInterface({ input: process.stdin })) {
  const before = process.cpuUsage();
  const made = await render();
  const { user, system } = process.cpuUsage(before);
  if (task.output) {
    for (const { asked, format, bytes } of made) writeFileSync(join(task.output, `${asked}.${format}`), bytes);
  }
  const renditions = made.map(({ size, bytes }) => ({ size, bytes: bytes.length }));
  console.log(JSON.stringify({ cpu: (user + system) / 1e6, renditions }));
}
