// The database goes away and comes back; the server neither hangs nor needs a restart.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { client, connect, signIn } from "./support/clients.mjs";
import { Postgres } from "./support/postgres.mjs";
import { Server } from "./support/server.mjs";

describe("a lost PostgreSQL", () => {
  let postgres;
  let server;

  before(async () => {
    postgres = await Postgres.start();
    server = await Server.start({ shards: 2, database: await postgres.createDatabase("kakera") });
  });

  after(async () => {
    await server?.stop();
    await postgres?.stop();
  });

  test("answers UNAVAILABLE, keeps sockets alive, and recovers by itself", async () => {
    const player = await connect(await signIn(server));
    await postgres.down();
    const started = Date.now();
    const answer = await client(server).authenticateDevice(randomUUID(), true).then(
      () => assert.fail("a sign-up went through without a database"),
      (error) => error,
    );
    assert.equal(answer.status, 503);
    assert.equal((await answer.json()).code, 14);
    assert.ok(Date.now() - started < 15_000, "the refusal came, the call did not hang");
    assert.ok((await player.socket.joinChat("still-here", 1, false, false)).id, "rooms need no database");

    await postgres.up();
    const deadline = Date.now() + 15_000;
    for (;;) {
      try {
        assert.ok((await client(server).authenticateDevice(randomUUID(), true)).token);
        break;
      } catch (error) {
        if (Date.now() > deadline) throw error;
        await new Promise((done) => setTimeout(done, 200));
      }
    }
    player.socket.disconnect(false);
  });
});
