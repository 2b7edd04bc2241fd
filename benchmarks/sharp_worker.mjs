// A worker (see worker.py): the same renditions by sharp, one pipeline each.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import sharp from "sharp";

const { source, widths, quality } = JSON.parse(process.argv[2]);
const data = readFileSync(source);
// One thread, and nothing remembered from the round before: as the other side.
sharp.concurrency(1);
sharp.cache(false);

async function render(width) {
  const { data: bytes, info } = await sharp(data)
    .autoOrient()
    .resize({ width, withoutEnlargement: true, kernel: "lanczos3" })
    .jpeg({ quality, chromaSubsampling: "4:2:0", optimiseCoding: true })
    .toBuffer({ resolveWithObject: true });
  return { size: [info.width, info.height], bytes: bytes.length };
}

for await (const _line of createInterface({ input: process.stdin })) {
  const before = process.cpuUsage();
  const renditions = [];
  for (const width of widths) renditions.push(await render(width));
  const { user, system } = process.cpuUsage(before);
  console.log(JSON.stringify({ cpu: (user + system) / 1e6, renditions }));
}
