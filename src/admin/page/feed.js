// What the gate says: its pulse once a second, and its whole status as often as costs it little.

/** How long after a status the next is asked for: the longer the larger it is, so that telling costs the gate little. */
const SOONEST = 2000;
const LATEST = 10_000;
const BYTES_A_MS = 100;
const SILENCE = 5000;
const RETRY = 1000;

/** Fires `pulse`, `status` and `gone`, each with its `detail`. */
export class Feed extends EventTarget {
  #pool = null;
  #stream = null;
  #watchdog = 0;
  #timer = 0;
  #asking = null;

  start() {
    this.#listen();
    this.#ask();
  }

  /** Has only the pools of this name in the status; all of them without one. */
  narrow(pool) {
    if (this.#pool === pool) return;
    this.#pool = pool;
    if (this.#stream !== null) this.#ask();
  }

  #listen() {
    const stream = new EventSource("events");
    this.#stream = stream;
    stream.addEventListener("status", ({ data }) => {
      this.#watch();
      this.#tell("pulse", JSON.parse(data));
    });
    stream.addEventListener("error", () => this.#lost());
    this.#watch();
  }

  #watch() {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.#lost(), SILENCE);
  }

  #lost() {
    clearTimeout(this.#watchdog);
    this.#stream.close();
    this.#tell("gone");
    setTimeout(() => this.#listen(), RETRY);
  }

  async #ask() {
    clearTimeout(this.#timer);
    this.#asking?.abort();
    const asking = (this.#asking = new AbortController());
    let pause = SOONEST;
    try {
      const query = this.#pool === null ? "" : `?pool=${encodeURIComponent(this.#pool)}`;
      const answer = await fetch(`status${query}`, { signal: asking.signal });
      pause = Math.max(SOONEST, Math.min(Number(answer.headers.get("content-length")) / BYTES_A_MS, LATEST));
      const status = await answer.json();
      if (asking === this.#asking) this.#tell("status", status);
    } catch {
      // Whether the gate is gone is for the pulse to tell.
    }
    if (asking === this.#asking) this.#timer = setTimeout(() => this.#ask(), pause);
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** What is known of the last quarter of an hour of a pool instance. */
export async function historyOf({ name, key, counts }) {
  const query = new URLSearchParams({ pool: name, key: key ?? "" });
  const answer = await fetch(`history?${query}`);
  const { step_ms: step, pools } = await answer.json();
  const track = pools.find((track) => track.counts === counts);
  return { step, used: track?.used ?? [], wait: track?.wait_ms ?? [] };
}

/** The requests that wait, and the last that ended; `of` a client, route or pool, if that is wanted. */
export async function requestsOf(of, signal) {
  const answer = await fetch(`requests?${new URLSearchParams(of)}`, { signal });
  return answer.json();
}

/** The configuration in force. */
export async function configuration() {
  const answer = await fetch("config");
  return answer.json();
}

/** What would become of a request. */
export async function explain(request) {
  const answer = await fetch(`explain?${new URLSearchParams(request)}`);
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}
