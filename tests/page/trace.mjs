// How much script there was in each frame, by Chromium's own trace.

/** What is traced. */
export const CATEGORIES = ["toplevel", "devtools.timeline"];

const SCRIPT = new Set([
  "FunctionCall",
  "EvaluateScript",
  "FireAnimationFrame",
  "EventDispatch",
  "TimerFire",
  "BlinkScheduler_PerformMicrotaskCheckpoint",
]);

/** How long an event took, in ms: of the thread's own time, and by the clock. */
export const spent = ({ tdur, dur }) => (tdur ?? dur) / 1000;
export const passed = ({ dur }) => dur / 1000;

/** What script took in each frame that had any, the least first, and the longest task; `took` says how long an event did. */
export function framesOf({ traceEvents: events }, took) {
  const main = mainThread(events);
  const own = events
    .filter(({ pid, tid }) => pid === main.pid && tid === main.tid)
    .sort((one, other) => one.ts - other.ts);
  const [frames, current] = [[], { ms: 0, until: 0 }];
  for (const event of own) {
    if (event.name === "AnimationFrame" && event.ph === "b" && current.ms > 0) {
      frames.push(current.ms);
      current.ms = 0;
    }
    // What is within another script counts with that.
    if (event.ph !== "X" || !SCRIPT.has(event.name) || event.ts < current.until) continue;
    current.ms += took(event);
    current.until = event.ts + event.dur;
  }
  const tasks = own.filter(({ ph, name }) => ph === "X" && name === "ThreadControllerImpl::RunTask").map(took);
  return { frames: [...frames, current.ms].sort((one, other) => one - other), longest: Math.max(0, ...tasks) };
}

/** The renderer's that has drawn most. */
function mainThread(events) {
  const drawn = new Map();
  for (const { name, pid, tid } of events) {
    if (name !== "FireAnimationFrame") continue;
    const key = `${pid} ${tid}`;
    drawn.set(key, { pid, tid, many: (drawn.get(key)?.many ?? 0) + 1 });
  }
  return [...drawn.values()].sort((one, other) => other.many - one.many)[0];
}
