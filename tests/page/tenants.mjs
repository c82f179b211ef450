// A gate with a thousand pool instances, and those who ask for them.

import { openWorld } from "./world.mjs";

const CONFIG = `
  [pools]
  tenants = { requests = ["600/min"], key = ["header.x-tenant"] }
  [[routes]]
  match = "GET /v1/models"
  pools = ["tenants"]
`;
export const TENANTS = 1_000;
export const A_SECOND = 100;

/** The world, in which every tenant has asked once; `load` has them ask in turns from then on. */
export async function openThousand() {
  const world = await openWorld(CONFIG);
  const tenant = (index) => ({ "x-tenant": `tenant-${index % TENANTS}` });
  const ask = (index) => world.crowd.send("GET", "/v1/models", tenant(index));
  await Promise.all(Array.from({ length: TENANTS }, (_, index) => ask(index)));
  return { world, load: () => world.crowd.keepSending(A_SECOND, ask) };
}
