// The same suite on both stores.
import { after, before, describe } from "node:test";
import { Postgres } from "./postgres.mjs";
import { Server } from "./server.mjs";

/**
 * Runs `suite(context)` once on the embedded store and once on PostgreSQL. `context.server` is up while
 * the suite's tests run; `context.postgres` is the cluster, absent on the embedded store.
 */
export function onBothStores(name, suite, options = {}) {
  for (const store of ["sqlite", "postgres"]) {
    describe(`${name} on ${store}`, () => {
      const context = { store };
      before(async () => {
        if (store === "postgres") {
          context.postgres = await Postgres.start();
          context.database = await context.postgres.createDatabase("kakera");
        }
        context.server = await Server.start({ ...options, database: context.database });
      });
      after(async () => {
        await context.server?.stop();
        await context.postgres?.stop();
      });
      suite(context);
    });
  }
}
