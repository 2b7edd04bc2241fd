// Sends every request of the page, and keeps what was sent.

import { byId, bytes, clock, commandBox, duration, element } from "./elements.js";

const KEPT = 80;
const entries = [];

const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

/** The curl command of a request. `file` stands for a body that is no text. */
export function curl({ method = "GET", url, headers = {}, body, file, fields }) {
  const words = ["curl", "-i"];
  if (method !== "GET") words.push("-X", method);
  for (const [name, value] of Object.entries(headers)) words.push("-H", quoted(`${name}: ${value}`));
  for (const [name, value] of Object.entries(fields ?? {})) words.push("-F", quoted(`${name}=${value}`));
  if (fields) words.push("-F", quoted(`file=@${file}`));
  else if (file) words.push("--data-binary", quoted(`@${file}`));
  else if (body !== undefined) words.push("--data", quoted(body));
  words.push(quoted(url));
  return words.join(" ");
}

/**
 * Sends a request and notes it.
 *
 * Returns {ok, status, headers, document, milliseconds, command}; `document` is the JSON of the
 * answer. Status 0: there was no answer that this page may read, and `document` says so as a problem.
 * `poll` says that the request is one of many alike: they share a line in the log.
 */
export async function send(request, { poll = false, command, payload } = {}) {
  const shown = command ?? curl(request);
  const entry = note({ ...request, method: request.method ?? "GET" }, poll, shown);
  const begun = performance.now();
  let answer = { ok: false, status: 0, headers: new Headers(), document: null };
  try {
    const response = await fetch(request.url, {
      method: request.method ?? "GET", headers: request.headers, body: payload ?? request.body,
    });
    const text = await response.text();
    const json = /\bjson\b/.test(response.headers.get("content-type") ?? "");
    answer = { ok: response.ok, status: response.status, headers: response.headers, document: json && text ? JSON.parse(text) : null };
    entry.size = text.length;
  } catch (error) {
    answer.document = { title: "No answer", detail: `The browser got no answer it may show: ${error.message}.` };
  }
  if (!answer.ok && !answer.document) answer.document = { title: "An unexpected answer", status: answer.status };
  entry.status = answer.status;
  entry.milliseconds = performance.now() - begun;
  show(entry);
  return { ...answer, milliseconds: entry.milliseconds, command: shown };
}

function note(request, poll, command) {
  const known = poll && entries.find((entry) => entry.poll && entry.url === request.url && entry.method === request.method);
  if (known) {
    known.times += 1;
    known.at = Date.now() / 1000;
    return known;
  }
  const entry = { ...request, poll, command, times: 1, at: Date.now() / 1000, status: null, milliseconds: null };
  entries.unshift(entry);
  entry.line = line(entry);
  byId("log").prepend(entry.line);
  byId("log-empty").hidden = true;
  for (const old of entries.splice(KEPT)) old.line.remove();
  return entry;
}

function line(entry) {
  const url = new URL(entry.url, location.href);
  const path = url.pathname.replace(/^\/_aws\/execute-api\/[^/]+/, "…") + url.search;
  entry.badge = element("span", { className: "badge" }, "…");
  entry.detail = element("span", { className: "log-time" });
  return element("li", {},
    element("details", {},
      element("summary", {},
        entry.badge,
        element("span", { className: "log-method" }, entry.method),
        element("span", { className: "log-path", title: entry.url }, path),
        entry.detail),
      element("p", { className: "log-url" }, url.href),
      commandBox(entry.label ?? `${entry.method} ${path}`, entry.command)));
}

function show(entry) {
  const kind = entry.status === 0 || entry.status >= 400 ? (entry.status >= 400 && entry.status < 500 ? "warn" : "bad") : "good";
  entry.badge.className = `badge ${kind}`;
  entry.badge.textContent = entry.status === 0 ? "none" : String(entry.status);
  const times = entry.times > 1 ? ` ×${entry.times}` : "";
  entry.detail.textContent = `${duration(entry.milliseconds)}${times}`;
  entry.detail.title = `${clock(entry.at)}, ${bytes(entry.size ?? 0)}`;
}

export function clearLog() {
  entries.length = 0;
  byId("log").replaceChildren();
  byId("log-empty").hidden = false;
}
