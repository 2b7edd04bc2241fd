// Two pictures over each other, with a slider between them.

import { element } from "./elements.js";

/** `pictures`: [{name, url, note}], at least two; the first is the original. */
export function comparison(pictures) {
  const left = element("img", { alt: "" });
  const right = element("img", { alt: "" });
  const slider = element("input", { type: "range", min: 0, max: 100, value: 50, aria: { label: "How much of the left picture is shown, in percent" } });
  const stage = element("div", { className: "stage" }, right, left, element("span", { className: "divider" }), slider);
  right.addEventListener("load", () => stage.style.setProperty("--ratio", right.naturalWidth / right.naturalHeight));
  slider.addEventListener("input", () => stage.style.setProperty("--split", `${slider.value}%`));
  const choose = (label, image, chosen) => {
    const select = element("select", { aria: { label } },
      ...pictures.map((picture, index) => element("option", { value: index }, `${picture.name} · ${picture.note}`)));
    const show = () => {
      const picture = pictures[select.value];
      image.src = picture.url;
      image.alt = `${label.split(" ")[0]}: ${picture.name}, ${picture.note}`;
    };
    select.value = chosen;
    select.addEventListener("change", show);
    show();
    return select;
  };
  return element("div", { className: "compare" },
    element("div", { className: "compare-head" }, choose("Left picture", left, 0), choose("Right picture", right, 1)),
    stage);
}
