// Uploads, and the renditions that come of them.

import { announce, byId, bytes, commandBox, duration, element, enable, problemBox, wait } from "./elements.js";
import { comparison } from "./compare.js";
import { curl, send } from "./http.js";
import { samplePicture } from "./sample.js";

const POLL = 400; // milliseconds
const PATIENCE = 60_000;
const THROUGH_THE_API = 4_500_000; // bytes; what is larger goes to S3 by a form
const EARLIER = 4;

let api;

export async function startImages(url) {
  api = url;
  const drop = byId("drop");
  byId("file").addEventListener("change", (event) => {
    take([...event.target.files]);
    event.target.value = "";
  });
  for (const name of ["dragenter", "dragover"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    take([...event.dataTransfer.files]);
  });
  // A file dropped beside the field would replace the page.
  for (const name of ["dragover", "drop"]) addEventListener(name, (event) => event.preventDefault());
  byId("sample").addEventListener("click", async () => take([await samplePicture()]));
  byId("letter").addEventListener("click", () =>
    take([new File(["Dear photographer, this is a letter.\n"], "letter.jpg", { type: "image/jpeg" })]));
  enable("file", "sample", "letter");
  const listed = await send({ url: `${api}/images?limit=${EARLIER}`, label: "List the images" });
  for (const image of listed.ok ? listed.document.images : []) {
    const card = new Card(`Image ${image.id.slice(0, 8)}`, image.source.bytes, null);
    byId("image-list").append(card.root);
    card.id = image.id;
    if (image.status === "pending") follow(card, null);
    else card.show(image, null);
  }
  refreshEmpty();
}

function refreshEmpty() {
  byId("images-empty").hidden = byId("image-list").childElementCount > 0;
}

async function take(files) {
  for (const file of files) await upload(file);
}

async function upload(file) {
  const card = new Card(file.name, file.size, file);
  byId("image-list").prepend(card.root);
  refreshEmpty();
  announce(`Uploading ${file.name}.`);
  const begun = performance.now();
  card.step("Uploading …");
  const answer = file.size > THROUGH_THE_API ? await uploadByForm(card, file) : await uploadThroughApi(card, file);
  if (!answer.ok) {
    card.refused(answer.document);
    announce(`${file.name} was refused: ${answer.document.title}.`);
    return;
  }
  card.step(`Taken after ${duration(performance.now() - begun)} with status ${answer.status}. S3 tells the function …`);
  await follow(card, begun);
}

async function uploadThroughApi(card, file) {
  const request = { method: "POST", url: `${api}/images`, headers: { "Content-Type": file.type || "application/octet-stream" }, file: file.name, label: `Upload ${file.name}` };
  const answer = await send(request, { payload: file });
  card.command("Upload it", answer.command);
  if (answer.ok) card.id = answer.document.id;
  return answer;
}

async function uploadByForm(card, file) {
  const form = await send({ method: "POST", url: `${api}/uploads`, label: "Ask for a form for a large file" });
  if (!form.ok) return form;
  const payload = new FormData();
  for (const [name, value] of Object.entries(form.document.fields)) payload.append(name, value);
  payload.append("file", file);
  const request = { method: "POST", url: form.document.url, fields: form.document.fields, file: file.name, label: `Upload ${file.name} to S3` };
  const answer = await send(request, { payload });
  card.command("Upload it to S3 by the form", answer.command);
  card.id = form.document.id;
  return answer;
}

async function follow(card, begun) {
  const url = `${api}/images/${card.id}`;
  const started = performance.now();
  card.command("Look at it", curl({ url }));
  card.status("pending");
  while (performance.now() - started < PATIENCE && card.root.isConnected) {
    const answer = await send({ url, label: "Look at the image" }, { poll: true });
    if (answer.ok && answer.document.status !== "pending") {
      card.show(answer.document, begun === null ? null : performance.now() - begun);
      announce(`${card.name} is ${answer.document.status}.`);
      return;
    }
    if (answer.status === 404) return;
    await wait(POLL);
  }
  card.step("Still pending. Is the function broken? The alarms below tell.");
}

class Card {
  constructor(name, size, file) {
    this.name = name;
    this.id = null;
    this.original = file === null ? null : URL.createObjectURL(file);
    this.badge = element("span", { className: "badge" }, "uploading");
    this.steps = element("p", { className: "muted steps" });
    this.body = element("div");
    this.commands = element("div", { className: "stack" });
    this.remove = element("button", { type: "button", className: "quiet small", aria: { label: `Delete ${name}` } }, "Delete");
    this.remove.addEventListener("click", () => this.delete());
    this.preview = element("img", { className: "preview", alt: "", src: this.original ?? "", hidden: this.original === null });
    this.preview.addEventListener("error", () => { this.preview.hidden = true; });
    this.root = element("article", { className: "panel image", aria: { label: name } },
      element("div", { className: "image-head" },
        this.preview,
        element("div", { className: "grow" }, element("h3", {}, name), element("p", { className: "muted" }, bytes(size))),
        this.badge, this.remove),
      this.steps, this.body,
      element("details", { className: "more" }, element("summary", {}, "Commands"), this.commands));
  }

  step(text) { this.steps.textContent = text; }

  status(text) {
    const kinds = { ready: "good", pending: "wait" };
    this.badge.className = `badge ${kinds[text] ?? "bad"}`;
    this.badge.textContent = text;
  }

  command(title, text) { this.commands.append(commandBox(title, text)); }

  refused(problem) {
    this.status("refused");
    this.step("");
    this.remove.textContent = "Dismiss";
    this.remove.setAttribute("aria-label", `Dismiss ${this.name}`);
    this.body.replaceChildren(problemBox(problem));
  }

  show(image, milliseconds) {
    this.status(image.status);
    this.step(milliseconds === null ? "Uploaded earlier." : `${image.status === "ready" ? "Ready" : "Done"} ${duration(milliseconds)} after the upload began.`);
    if (image.problem) this.body.replaceChildren(problemBox(image.problem));
    if (image.renditions.length === 0) return;
    const renditions = [...image.renditions].sort((a, b) => b.width - a.width);
    if (this.preview.hidden) {
      this.preview.src = renditions.at(-1).url;
      this.preview.hidden = false;
    }
    const share = (rendition) => `${((100 * rendition.bytes) / image.source.bytes).toFixed(0)} %`;
    const rows = renditions.map((rendition) => element("tr", {},
      element("th", { scope: "row" }, element("a", { href: rendition.url, target: "_blank", rel: "noopener" }, rendition.preset)),
      element("td", {}, rendition.format),
      element("td", {}, `${rendition.width} × ${rendition.height}`),
      element("td", {}, bytes(rendition.bytes)),
      element("td", {}, share(rendition))));
    const heads = ["Rendition", "Format", "Pixels", "Bytes", "Share"];
    const table = element("table", {},
      element("thead", {}, element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text)))),
      element("tbody", {}, ...rows));
    const pictures = renditions.map((rendition) => ({ name: rendition.preset, url: rendition.url, note: `${rendition.width} × ${rendition.height}, ${bytes(rendition.bytes)}` }));
    if (this.original !== null) pictures.unshift({ name: "original", url: this.original, note: bytes(image.source.bytes) });
    const parts = [
      element("div", { className: "scroll", tabIndex: 0, role: "group", aria: { label: `Renditions of ${this.name}` } }, table),
      ...(pictures.length > 1 ? [comparison(pictures)] : []),
    ];
    if (milliseconds !== null) this.body.replaceChildren(...parts);
    else this.body.replaceChildren(element("details", { className: "more" }, element("summary", {}, `${renditions.length} renditions`), ...parts));
  }

  async delete() {
    if (this.id !== null) {
      const answer = await send({ method: "DELETE", url: `${api}/images/${this.id}`, label: `Delete ${this.name}` });
      if (!answer.ok && answer.status !== 404) {
        this.body.replaceChildren(problemBox(answer.document));
        return;
      }
    }
    if (this.original !== null) URL.revokeObjectURL(this.original);
    const neighbour = this.root.nextElementSibling?.querySelector("button") ?? byId("file");
    this.root.remove();
    refreshEmpty();
    neighbour.focus();
    announce(`${this.name} is deleted.`);
  }
}
