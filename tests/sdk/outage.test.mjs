// The database goes away and comes back; the server neither hangs nor needs a restart.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readdirSync, statSync } from "node:fs";
import path from "node:path";
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

describe("a full disk under the embedded store", () => {
  let server;

  before(async () => {
    // A file that may not grow fails a write as a full disk does, and needs no file system of its own.
    server = await Server.start({ shards: 2, ignores: "XFSZ" });
  });

  after(() => server?.stop());

  const limit = (bytes) => execFileSync("prlimit", ["--pid", String(server.pid), `--fsize=${bytes}:`]);

  test("answers UNAVAILABLE to writes, serves reads, and recovers by itself", async () => {
    const player = await signIn(server);
    const write = (key, text) =>
      player.client.writeStorageObjects(player.session, [{ collection: "c", key, value: { text } }]);
    const kept = new Set();
    for (let n = 0; n < 20; n++) {
      await write(`before-${n}`, "x".repeat(1000));
      kept.add(`before-${n}`);
    }
    const sizes = readdirSync(server.dir).map((file) => statSync(path.join(server.dir, file)).size);
    limit(Math.max(...sizes) + 300_000);

    let answer;
    for (let n = 0; n < 50 && !answer; n++) {
      await write(`full-${n}`, "x".repeat(50_000)).then(
        () => kept.add(`full-${n}`),
        (error) => (answer = error),
      );
    }
    assert.equal(answer?.status, 503);
    assert.equal((await answer.json()).code, 14);
    const answers = await Promise.allSettled(
      Array.from({ length: 30 }, (_, n) => write(`many-${n}`, "x".repeat(50_000))),
    );
    answers.forEach((one, n) => {
      if (one.status === "fulfilled") kept.add(`many-${n}`);
      else assert.equal(one.reason.status, 503);
    });
    assert.ok(answers.some((one) => one.status === "rejected"));
    assert.equal((await player.client.getAccount(player.session)).user.id, player.session.user_id);

    limit("unlimited");
    await write("after", "x");
    kept.add("after");
    await server.kill();
    await server.up();
    const found = new Set();
    let cursor;
    do {
      const page = await player.client.listStorageObjects(player.session, "c", player.session.user_id, 100, cursor);
      page.objects.forEach((object) => found.add(object.key));
      cursor = page.cursor;
    } while (cursor);
    assert.deepEqual([...found].sort(), [...kept].sort(), "what was acknowledged is there, and nothing else");
  });
});
