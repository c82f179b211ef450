// Starts Tidegate's programs on free ports, reads where they listen, and ends them with the test.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export const BINARY = process.env.TIDEGATE ?? fileURLToPath(new URL("../../../target/debug/tidegate", import.meta.url));
const ANY_PORT = "127.0.0.1:0";

export const startMock = (...options) => start(["mock", "--listen", ANY_PORT, ...options], ["listening"]);

export const startGate = (upstream, ...options) =>
  start(["serve", "--listen", ANY_PORT, "--admin", ANY_PORT, "--upstream", upstream, ...options], [
    "listening",
    "admin",
  ]);

export async function start(args, says) {
  const child = spawn(BINARY, args, { stdio: ["ignore", "pipe", "ignore"] });
  const addresses = {};
  for await (const line of createInterface({ input: child.stdout })) {
    const [what, url] = line.split(" on ");
    addresses[what] = url;
    if (says.every((name) => name in addresses)) {
      return { url: addresses.listening, admin: addresses.admin, stop: () => stop(child) };
    }
  }
  throw new Error(`${args.join(" ")} ended before it listened`);
}

async function stop(child) {
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}
