// The stand-in upstream, the gate before it, and a crowd.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { start } from "../sdk/node/programs.mjs";
import { Crowd } from "./crowd.mjs";

const ANY_PORT = "127.0.0.1:0";

/** The configuration with its own pools and routes, and none of the built-in ones. */
const alone = (config) => (/^\s*\[pools[.\]]/m.test(config) ? `extends = "none"\n${config}` : config);

/** A gate with this configuration, before an upstream with `upstream`'s, if that is another. */
export async function openWorld(config, { upstream = config, options = [] } = {}) {
  const folder = await mkdtemp(join(tmpdir(), "tidegate-page-"));
  const [file, other] = [join(folder, "tidegate.toml"), join(folder, "upstream.toml")];
  await Promise.all([writeFile(file, alone(config)), writeFile(other, alone(upstream))]);
  const mock = await start(["mock", "--listen", ANY_PORT, "--config", other, ...options], ["listening"]);
  const serve = (admin = ANY_PORT) =>
    start(
      ["serve", "--listen", ANY_PORT, "--admin", admin, "--upstream", mock.url, "--config", file],
      ["listening", "admin"],
    );
  const gate = await serve();
  const crowd = new Crowd(gate.url);
  const close = async () => {
    crowd.stop();
    await Promise.all([gate.stop(), mock.stop(), rm(folder, { recursive: true })]);
  };
  return { mock, gate, crowd, serve, close };
}
