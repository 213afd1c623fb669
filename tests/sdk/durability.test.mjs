// kill -9 in the middle of writes: every account, object and deletion that was acknowledged is there after
// the restart.
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

      test(`loses no acknowledged object ${afterMs} ms into a storm of writes`, async () => {
        const players = await Promise.all(
          Array.from({ length: 16 }, () => client(server).authenticateDevice(randomUUID(), true)),
        );
        // Of each player's objects the last acknowledged state, and the one that was under way at the end.
        const states = players.map(() => new Map());
        let count = 0;
        let killed = false;
        const storms = players.map(async (session, at) => {
          const own = client(server);
          for (let n = 0; !killed; n++) {
            const key = `save-${n % 7}`;
            const state = { before: states[at].get(key)?.now, now: n % 5 === 4 ? null : n };
            if (state.now === null && state.before == null) state.now = n;
            const id = { collection: "saves", key };
            const write = { ...id, value: { n }, permission_read: 1, permission_write: 1 };
            try {
              if (state.now === null) await own.deleteStorageObjects(session, { object_ids: [id] });
              else await own.writeStorageObjects(session, [write]);
              states[at].set(key, { now: state.now });
              count++;
            } catch {
              if (!killed) throw new Error("a write failed while the server was up");
              states[at].set(key, { now: state.before ?? null, perhaps: state.now });
            }
          }
        });
        await new Promise((done) => setTimeout(done, afterMs));
        while (count < 50) await new Promise((done) => setTimeout(done, 5));
        killed = true;
        await server.kill();
        await Promise.all(storms);
        await server.up();
        for (const [at, session] of players.entries()) {
          const object_ids = [...states[at].keys()].map((key) => ({ collection: "saves", key, user_id: session.user_id }));
          const { objects } = await client(server).readStorageObjects(session, { object_ids });
          const found = new Map(objects.map((object) => [object.key, object.value.n]));
          for (const [key, state] of states[at]) {
            const possible = "perhaps" in state ? [state.now, state.perhaps] : [state.now];
            assert.ok(possible.includes(found.get(key) ?? null), `${key} is ${found.get(key)}, not ${possible}`);
          }
        }
      });
    }
  });
}
