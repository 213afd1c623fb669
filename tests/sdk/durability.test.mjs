// kill -9 in the middle of sign-ups: every account that was acknowledged is there after the restart.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { client } from "./support/clients.mjs";
import { Postgres } from "./support/postgres.mjs";
import { Server } from "./support/server.mjs";

for (const store of ["sqlite", "postgres"]) {
  describe(`kill -9 on ${store}`, () => {
    let postgres;
    let server;

    before(async () => {
      postgres = store === "postgres" ? await Postgres.start() : undefined;
      server = await Server.start({ shards: 2, database: await postgres?.createDatabase("kakera") });
    });

    after(async () => {
      await server?.stop();
      await postgres?.stop();
    });

    for (const afterMs of [40, 150, 400]) {
      test(`loses no acknowledged account ${afterMs} ms into a sign-up storm`, async () => {
        const acknowledged = new Map();
        let killed = false;
        const signUps = Array.from({ length: 16 }, async () => {
          while (!killed) {
            const device = randomUUID();
            try {
              const session = await client(server).authenticateDevice(device, true);
              acknowledged.set(device, session.user_id);
            } catch {
              if (!killed) throw new Error("a sign-up failed while the server was up");
            }
          }
        });
        await new Promise((done) => setTimeout(done, afterMs));
        while (acknowledged.size === 0) await new Promise((done) => setTimeout(done, 5));
        killed = true;
        await server.kill();
        await Promise.all(signUps);
        await server.up();
        for (const [device, user] of acknowledged) {
          const session = await client(server).authenticateDevice(device, false);
          assert.equal(session.user_id, user);
        }
      });
    }
  });
}
