// The application behind the load balancer, and which instances answer.

import { announce, byId, commandBox, duration, element, problemBox } from "./elements.js";
import { send } from "./http.js";

export function startWebtier(deployed) {
  const body = byId("webtier-body");
  if (!deployed.webtier) {
    body.replaceChildren(
      element("p", {}, "It is not deployed."),
      commandBox("Deploy it", "python -m deploy webtier --stage local"));
    return;
  }
  const command = `curl ${new URL("health", deployed.webtier).href}`;
  const ask = element("button", { type: "button", className: "quiet" }, "Ask who answers");
  const answers = element("div");
  ask.addEventListener("click", async () => {
    ask.disabled = true;
    const answer = await send({ url: "webtier.json", label: "Ask the load balancer eight times" }, { command });
    ask.disabled = false;
    ask.focus();
    answers.replaceChildren(answer.ok ? table(answer.document.answers) : problemBox(answer.document));
    announce("The load balancer has been asked.");
  });
  body.replaceChildren(
    element("p", {}, "A load balancer spreads requests over instances in several zones. The application’s pages forbid being framed, as pages with forms should, so they open in a tab of their own; each says which instance answered."),
    element("div", { className: "actions" },
      element("a", { href: deployed.webtier, target: "_blank", rel: "noopener", className: "button" }, "Open the application", element("span", { className: "unseen" }, " in a new tab")),
      ask),
    answers,
    commandBox("Which instance answers", command));
}

function table(answers) {
  const rows = [...Map.groupBy(answers, (answer) => answer.instance ?? `no instance (${answer.status || "no answer"})`)].sort()
    .map(([instance, group]) => element("tr", {},
      element("th", { scope: "row" }, element("code", {}, instance)),
      element("td", {}, group[0].zone ?? "–"),
      element("td", {}, `${group.length} of ${answers.length}`),
      element("td", {}, duration(group.reduce((sum, answer) => sum + answer.milliseconds, 0) / group.length))));
  const heads = ["Instance", "Zone", "Answered", "Mean time"];
  return element("div", { className: "scroll", tabIndex: 0, role: "group", aria: { label: "Who answered" } }, element("table", {},
    element("thead", {}, element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text)))),
    element("tbody", {}, ...rows)));
}
