// A strip chart of the last quarter of an hour: how much of the limit was used, and how long a new request would have waited.

import uPlot from "./uplot/uPlot.esm.js";
import { historyOf } from "./feed.js";
import { mark } from "./element.js";
import { LONGEST, lasting, rangeOf } from "./range.js";
import { span, timeOfDay } from "./words.js";

const STEP = 5;

/** What lines a strip may have. */
export const BOTH = ["used", "wait"];

export class Strip {
  #node;
  #lanes;
  #axes;
  #times = [];
  #lines = { used: [], wait: [] };
  #chart = null;
  #resized;
  #themed = () => this.#chart?.redraw(false);
  #ranged = () => this.#draw();

  /** In this element; with `axes` it is large. */
  constructor(node, pool, lanes = BOTH, axes = false) {
    [this.#node, this.#lanes, this.#axes] = [node, lanes, axes];
    this.#resized = new ResizeObserver(() => this.#fit());
    this.#resized.observe(node);
    addEventListener("themed", this.#themed);
    addEventListener("ranged", this.#ranged);
    this.#recall(pool);
  }

  /** Takes down how things are now, once a step. */
  note({ share, p95Ms }) {
    const now = Date.now() / 1000;
    const last = this.#times.at(-1) ?? 0;
    if (now - last < STEP) return;
    this.#times.push(now);
    this.#lines.used.push(share);
    this.#lines.wait.push((p95Ms ?? 0) / 1000);
    while (this.#times[0] < now - LONGEST)
      [this.#times, this.#lines.used, this.#lines.wait].forEach((line) => line.shift());
    this.#draw();
  }

  end() {
    this.#resized.disconnect();
    removeEventListener("themed", this.#themed);
    removeEventListener("ranged", this.#ranged);
    this.#chart?.destroy();
  }

  async #recall(pool) {
    try {
      const { step, used, wait } = await historyOf(pool);
      // The clock of the gate may be another than this one's, so the last point is of now.
      const now = Date.now() / 1000;
      this.#times = used.map((_, index) => now - ((used.length - 1 - index) * step) / 1000);
      this.#lines = { used, wait: wait.map((ms) => ms / 1000) };
      this.#draw();
    } catch {
      // It begins with now, then.
    }
  }

  #fit() {
    const { clientWidth: width, clientHeight: height } = this.#node;
    if (width === 0 || height === 0) return;
    if (this.#chart === null) this.#chart = new uPlot(this.#options(width, height), this.#data(), this.#node);
    else this.#chart.setSize({ width, height });
  }

  #draw() {
    if (this.#times.length === 0) return;
    mark(this.#node, "aria-label", this.#inWords());
    this.#chart?.setData(this.#data());
  }

  /** How far back it goes: no farther than the first use of the pool. */
  #range() {
    const first = this.#lines.used.findIndex((used) => used > 0);
    return rangeOf(first === -1 ? 0 : Date.now() / 1000 - this.#times[first]);
  }

  #data() {
    return [this.#times, ...this.#lanes.map((lane) => this.#lines[lane])];
  }

  #inWords() {
    const since = this.#times.findIndex((time) => time >= Date.now() / 1000 - this.#range());
    const [used, wait] = [this.#lines.used, this.#lines.wait].map((line) => line.slice(Math.max(since, 0)));
    const percent = (share) => `${Math.round(share * 100)} %`;
    const said = {
      used: `used ${percent(Math.min(...used))} to ${percent(Math.max(...used))}, now ${percent(used.at(-1) ?? 0)}`,
      wait: `95 % waited at most ${span(Math.max(...wait) * 1000)}, now ${span((wait.at(-1) ?? 0) * 1000)}`,
    };
    return `The last ${lasting(this.#range())}: ${this.#lanes.map((lane) => said[lane]).join("; ")}.`;
  }

  #options(width, height) {
    const colour = (name) => () => getComputedStyle(this.#node).getPropertyValue(name);
    const small = !this.#axes;
    const axis = {
      stroke: colour("--muted"),
      grid: { stroke: colour("--rule"), width: 1 },
      ticks: { show: false },
      font: "12px system-ui, sans-serif",
    };
    const lines = {
      used: {
        scale: "used",
        stroke: colour("--tone"),
        fill: colour("--tone-wash"),
        width: 1.5,
        fillTo: 0,
        points: { show: false },
      },
      wait: { scale: "wait", stroke: colour("--wait"), width: 1.5, points: { show: false } },
    };
    const axes = {
      used: {
        ...axis,
        scale: "used",
        size: 52,
        values: (_, marks) => marks.map((mark) => `${Math.round(mark * 100)} %`),
      },
      wait: { ...axis, scale: "wait", size: 52, values: (_, marks) => marks.map((mark) => `${mark} s`) },
    };
    return {
      width,
      height,
      legend: { show: false },
      cursor: { show: false },
      padding: small ? [2, 0, 2, 0] : [8, 8, 0, 0],
      scales: {
        x: { time: true, range: () => [Date.now() / 1000 - this.#range(), Date.now() / 1000] },
        // Of a small one the upper part is for what is used, and the lower for the wait.
        used: { range: () => (small ? [-0.5, 1.02] : [0, 1.05]) },
        wait: { range: (_, __, most) => [0, Math.max(most ?? 0, 1) * (small ? 3.4 : 1.1)] },
      },
      axes: small ? [{ show: false }, { show: false }] : [{ ...axis, space: 80, values: hours }, axes[this.#lanes[0]]],
      series: [{}, ...this.#lanes.map((lane) => lines[lane])],
      hooks: { drawClear: this.#lanes.includes("used") ? [(chart) => drawCeiling(chart, colour("--rule")())] : [] },
    };
  }
}

const hours = (_, marks) => marks.map((mark) => timeOfDay(mark * 1000).slice(0, 5));

/** Where all of the limit is used. */
function drawCeiling(chart, colour) {
  const { ctx, bbox } = chart;
  const y = Math.round(chart.valToPos(1, "used", true)) + 0.5;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.setLineDash([4, 4]);
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.restore();
}
