// A picture that is made here, for who has none at hand.

const WIDTH = 2400;
const HEIGHT = 1600;

const RANGES = [
  { base: 0.62, height: 0.2, steps: 7, colour: "#8fa3c4" },
  { base: 0.72, height: 0.18, steps: 9, colour: "#5d7aa6" },
  { base: 0.84, height: 0.16, steps: 12, colour: "#31507a" },
  { base: 0.96, height: 0.14, steps: 16, colour: "#14294a" },
];

/** Mountains in the evening as a JPEG file; another every time. */
export async function samplePicture() {
  const canvas = new OffscreenCanvas(WIDTH, HEIGHT);
  const paint = canvas.getContext("2d");
  const sky = paint.createLinearGradient(0, 0, 0, HEIGHT);
  for (const [stop, colour] of [[0, "#27356b"], [0.35, "#b6588f"], [0.55, "#ff9d6c"], [0.75, "#ffd9a0"]]) sky.addColorStop(stop, colour);
  paint.fillStyle = sky;
  paint.fillRect(0, 0, WIDTH, HEIGHT);
  const sun = [WIDTH * (0.2 + 0.6 * Math.random()), HEIGHT * 0.52, WIDTH * 0.06];
  const glow = paint.createRadialGradient(...sun.slice(0, 2), 0, ...sun.slice(0, 2), sun[2] * 5);
  glow.addColorStop(0, "#fff6dccc");
  glow.addColorStop(1, "#fff6dc00");
  paint.fillStyle = glow;
  paint.fillRect(0, 0, WIDTH, HEIGHT);
  paint.fillStyle = "#fff3d6";
  paint.beginPath();
  paint.arc(...sun, 0, 2 * Math.PI);
  paint.fill();
  for (const range of RANGES) mountains(paint, range);
  const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.92 });
  return new File([blob], "evening.jpg", { type: "image/jpeg" });
}

function mountains(paint, { base, height, steps, colour }) {
  paint.fillStyle = colour;
  paint.beginPath();
  paint.moveTo(0, HEIGHT);
  for (let step = 0; step <= steps; step += 1) {
    const peak = step % 2 ? Math.random() * height : -Math.random() * 0.04;
    paint.lineTo((WIDTH * step) / steps, HEIGHT * (base - peak));
  }
  paint.lineTo(WIDTH, HEIGHT);
  paint.fill();
}

let small = null;

/** A small picture as a JPEG, made once. */
export async function smallPicture() {
  if (small === null) {
    const canvas = new OffscreenCanvas(320, 240);
    const paint = canvas.getContext("2d");
    paint.fillStyle = "#5d7aa6";
    paint.fillRect(0, 0, 320, 240);
    mountains(paint, RANGES[3]);
    small = await canvas.convertToBlob({ type: "image/jpeg" });
  }
  return small;
}
