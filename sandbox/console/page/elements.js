// Makes elements, shows numbers, and tells screen readers what happened.

/** An element with properties, `data` and `aria` attributes, and children (nodes or text). */
export function element(name, properties = {}, ...children) {
  const { data = {}, aria = {}, ...rest } = properties;
  const made = Object.assign(document.createElement(name), rest);
  Object.assign(made.dataset, data);
  for (const [key, value] of Object.entries(aria)) made.setAttribute(`aria-${key}`, value);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** The element with that id. */
export const byId = (id) => document.getElementById(id);

export function announce(text) {
  byId("announcer").textContent = text;
}

/** Controls are disabled in the page until their section listens to them. */
export function enable(...ids) {
  for (const id of ids) byId(id).disabled = false;
}

export const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** 1234567 → "1.2 MB", as AWS counts them: in thousands. */
export function bytes(count) {
  if (count < 1000) return `${count} B`;
  const [size, unit] = count < 1e6 ? [count / 1e3, "kB"] : [count / 1e6, "MB"];
  return `${size.toFixed(size < 10 ? 1 : 0)} ${unit}`;
}

/** 1234 → "1.23 s". */
export function duration(milliseconds) {
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(2)} s`;
}

export function clock(seconds) {
  return new Date(seconds * 1000).toLocaleTimeString([], { hour12: false });
}

/** A problem document (RFC 9457), explained. */
export function problemBox(problem) {
  const errors = (problem.errors ?? []).map((error) =>
    element("li", {}, element("code", {}, error.pointer || "the body"), ` ${error.detail}`));
  return element("div", { className: "problem", role: "alert" },
    element("p", { className: "problem-title" },
      element("span", { className: "badge bad" }, String(problem.status ?? "")),
      " ", element("strong", {}, problem.title ?? "Something went wrong")),
    problem.detail ? element("p", {}, problem.detail) : null,
    errors.length ? element("ul", {}, ...errors) : null,
    problem.type ? element("p", { className: "muted" }, "type ", element("code", {}, problem.type)) : null);
}

/** A command in words and to copy. */
export function commandBox(title, command) {
  const copy = element("button", { type: "button", className: "quiet small", aria: { label: `Copy the command: ${title}` } }, "Copy");
  const say = (text) => {
    copy.textContent = text;
    // What is heard begins with what is seen.
    copy.ariaLabel = `${text} the command: ${title}`;
  };
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(command);
      say("Copied");
      announce("Copied to the clipboard.");
    } catch {
      say("Select it");
      getSelection().selectAllChildren(code);
    }
    setTimeout(() => say("Copy"), 1500);
  });
  const code = element("code", {}, command);
  const shown = element("pre", { tabIndex: 0, role: "group", aria: { label: `Command: ${title}` } }, code);
  return element("div", { className: "command" },
    element("div", { className: "command-head" }, element("span", {}, title), copy), shown);
}
