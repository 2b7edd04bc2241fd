// The application behind the load balancer.

import { byId, commandBox, element } from "./elements.js";

export function startWebtier(deployed) {
  const body = byId("webtier-body");
  const stack = deployed.stacks.find((found) => found.name.startsWith("webtier-"));
  if (!deployed.webtier) {
    body.replaceChildren(
      element("p", {}, stack
        ? "Its stack is deployed, and its instances are records here: nothing boots that could answer."
        : "It is not deployed."),
      commandBox("Look at its stack", "aws cloudformation describe-stacks --stack-name webtier-local"));
    return;
  }
  body.replaceChildren(
    element("p", {}, "Its pages say which instance answered. They forbid being framed, as pages with forms should, so they open in a tab of their own."),
    element("p", {}, element("a", { href: deployed.webtier, target: "_blank", rel: "noopener", className: "button" }, "Open the application", element("span", { className: "unseen" }, " in a new tab"))),
    commandBox("Which instance answers", `curl ${new URL("health", deployed.webtier).href}`));
}
