// Items with their ETags, and what happens where two people change one.

import { announce, byId, commandBox, element, enable, problemBox } from "./elements.js";
import { send } from "./http.js";

const PAGE = 8;
const FIELDS = ["name", "description", "tags", "attributes"];

let api;
let current = null; // {item, etag} as it was read, or null for a new one
let next = null; // the cursor of the next page

export async function startItems(url) {
  api = url;
  byId("new-item").addEventListener("click", () => edit(null));
  byId("more-items").addEventListener("click", () => list(next));
  byId("item-form").addEventListener("submit", (event) => {
    event.preventDefault();
    save();
  });
  byId("delete-item").addEventListener("click", remove);
  byId("meddle").addEventListener("click", meddle);
  enable("new-item", "save");
  await list();
}

const address = (id) => `${api}/items/${encodeURIComponent(id)}`;

function tell(title, answer) {
  byId("item-command").replaceChildren(commandBox(title, answer.command));
}

async function list(cursor = null) {
  const url = `${api}/items?limit=${PAGE}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`;
  const answer = await send({ url, label: "List the items" });
  byId("items-command").replaceChildren(commandBox("List the items", answer.command));
  if (!answer.ok) {
    byId("item-list").replaceChildren(element("li", {}, problemBox(answer.document)));
    return;
  }
  const lines = answer.document.items.map(line);
  if (cursor) byId("item-list").append(...lines);
  else byId("item-list").replaceChildren(...lines);
  next = answer.document.next;
  byId("more-items").hidden = !next;
  byId("items-empty").hidden = byId("item-list").childElementCount > 0;
  if (cursor) lines[0]?.querySelector("button").focus();
}

function line(item) {
  const open = element("button", { type: "button", className: "row", data: { id: item.id } },
    element("span", { className: "grow" }, item.name),
    ...item.tags.slice(0, 2).map((tag) => element("span", { className: "tag" }, tag)),
    element("span", { className: "muted" }, `version ${item.version}`));
  if (item.id === current?.item.id) open.setAttribute("aria-current", "true");
  open.addEventListener("click", () => read(item.id));
  return element("li", {}, open);
}

async function read(id) {
  const answer = await send({ url: address(id), label: "Get the item" });
  if (answer.ok) edit({ item: answer.document, etag: answer.headers.get("etag") });
  else byId("item-problem").replaceChildren(problemBox(answer.document));
  tell("Get the item", answer);
}

/** Puts an item into the form: one that was read, or null for a new one. */
function edit(read, { focus = true } = {}) {
  current = read;
  fill(read?.item ?? { name: "", description: "", tags: [], attributes: {} });
  byId("form-title").textContent = read ? `Edit ${read.item.name}` : "New item";
  byId("etag").textContent = read?.etag ?? "none yet";
  byId("save").textContent = read ? "Save" : "Create";
  for (const id of ["delete-item", "meddle"]) byId(id).hidden = !read;
  for (const button of document.querySelectorAll("#item-list .row")) {
    if (button.dataset.id === read?.item.id) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
  clearProblems();
  byId("conflict").replaceChildren();
  if (focus) byId("form-title").focus();
}

function fill(item) {
  byId("name").value = item.name;
  byId("description").value = item.description;
  byId("tags").value = item.tags.join(", ");
  byId("attributes").value = JSON.stringify(item.attributes, null, 2);
}

/** What the form says; null, with the fault shown, where its attributes are no JSON. */
function content() {
  const tags = byId("tags").value.split(",").map((tag) => tag.trim()).filter(Boolean);
  try {
    return { name: byId("name").value, description: byId("description").value, tags, attributes: JSON.parse(byId("attributes").value) };
  } catch (error) {
    showErrors([{ pointer: "/attributes", detail: `This is not JSON: ${error.message}` }]);
    return null;
  }
}

function clearProblems() {
  byId("item-problem").replaceChildren();
  for (const field of FIELDS) {
    byId(`${field}-error`).textContent = "";
    byId(field).removeAttribute("aria-invalid");
  }
}

function showErrors(errors) {
  for (const error of [...errors].reverse()) {
    const field = FIELDS.find((name) => error.pointer.split("/")[1] === name);
    if (!field) continue;
    byId(`${field}-error`).textContent = error.detail;
    byId(field).setAttribute("aria-invalid", "true");
    byId(field).focus();
  }
}

function failed(answer) {
  byId("item-problem").replaceChildren(problemBox(answer.document));
  showErrors(answer.document.errors ?? []);
}

async function save() {
  clearProblems();
  const wanted = content();
  if (wanted === null) return;
  const headers = { "Content-Type": "application/json" };
  const body = JSON.stringify(wanted);
  const answer = current
    ? await send({ method: "PUT", url: address(current.item.id), headers: { ...headers, "If-Match": current.etag }, body, label: "Replace the item" })
    : await send({ method: "POST", url: `${api}/items`, headers, body, label: "Create an item" });
  tell(current ? "Replace the item, where it is still this version" : "Create an item", answer);
  if (answer.status === 412) await showConflict(wanted, answer.document);
  else if (!answer.ok) failed(answer);
  else await saved(answer);
}

async function saved(answer) {
  edit({ item: answer.document, etag: answer.headers.get("etag") });
  announce(`${answer.document.name} is saved as version ${answer.document.version}.`);
  await list();
}

async function remove() {
  const { item, etag } = current;
  const answer = await send({ method: "DELETE", url: address(item.id), headers: { "If-Match": etag }, label: "Delete the item" });
  tell("Delete the item, where it is still this version", answer);
  if (answer.status === 412) {
    await showConflict(null, answer.document);
    return;
  }
  if (!answer.ok) {
    failed(answer);
    return;
  }
  edit(null);
  announce(`${item.name} is deleted.`);
  await list();
}

/** Changes the item as another client would: the form here does not learn of it. */
async function meddle() {
  const description = `Changed by somebody else at ${new Date().toLocaleTimeString([], { hour12: false })}.`;
  const url = address(current.item.id);
  const read = await send({ url, label: "Somebody else gets the item" });
  if (!read.ok) {
    failed(read);
    return;
  }
  const answer = await send({
    method: "PATCH", url,
    headers: { "Content-Type": "application/merge-patch+json", "If-Match": read.headers.get("etag") },
    body: JSON.stringify({ description }), label: "Somebody else changes the item",
  });
  tell("Somebody else changes the item", answer);
  if (!answer.ok) failed(answer);
  else announce("Somebody else has changed the item. The form does not know of it.");
  await list();
}

/** Shows both versions. `mine` is null where the item was to be deleted. */
async function showConflict(mine, problem) {
  const read = await send({ url: address(current.item.id), label: "Get what is there now" });
  const theirs = read.ok ? { item: read.document, etag: read.headers.get("etag") } : null;
  const heading = element("h4", { tabIndex: -1 }, "Somebody else was here first");
  const rows = FIELDS.map((field) => {
    const text = (item) => (item === null ? "deleted" : field === "tags" ? item.tags.join(", ") : field === "attributes" ? JSON.stringify(item.attributes) : item[field]);
    const [left, right] = [text(mine), text(theirs?.item ?? null)];
    return element("tr", { className: left === right ? "" : "differs" },
      element("th", { scope: "row" }, field), element("td", {}, left || "–"), element("td", {}, right || "–"));
  });
  const keep = element("button", { type: "button" }, mine === null ? "Delete it all the same" : "Keep mine");
  const take = element("button", { type: "button", className: "quiet" }, "Take theirs");
  keep.addEventListener("click", () => keepMine(mine, theirs));
  take.addEventListener("click", () => {
    edit(theirs);
    announce(theirs ? "The form has their version." : "The item is gone.");
    list();
  });
  byId("conflict").replaceChildren(element("div", { className: "conflict", role: "group", aria: { label: "Conflict" } },
    element("div", { className: "bar" }, heading, element("span", { className: "badge warn" }, `412 ${problem.title}`)),
    element("p", {}, problem.detail),
    element("div", { className: "scroll", tabIndex: 0, role: "group", aria: { label: "Both versions" } }, element("table", {},
      element("thead", {}, element("tr", {},
        element("th", { scope: "col" }, "Field"),
        element("th", { scope: "col" }, "Mine, from ", element("code", {}, current.etag)),
        element("th", { scope: "col" }, "Theirs, now ", element("code", {}, theirs?.etag ?? "gone")))),
      element("tbody", {}, ...rows))),
    element("div", { className: "actions" }, keep, take)));
  heading.focus();
  announce("Conflict: the item was changed by somebody else. Both versions are shown.");
}

async function keepMine(mine, theirs) {
  if (theirs) current = { item: theirs.item, etag: theirs.etag };
  byId("etag").textContent = theirs?.etag ?? "none yet";
  byId("conflict").replaceChildren();
  if (mine === null) {
    await remove();
    return;
  }
  const condition = theirs ? { "If-Match": theirs.etag } : { "If-None-Match": "*" };
  const answer = await send({
    method: "PUT", url: address(current.item.id), headers: { "Content-Type": "application/json", ...condition },
    body: JSON.stringify(mine), label: "Replace their version with mine",
  });
  tell("Replace their version, knowing it", answer);
  if (answer.status === 412) await showConflict(mine, answer.document);
  else if (!answer.ok) failed(answer);
  else await saved(answer);
}
