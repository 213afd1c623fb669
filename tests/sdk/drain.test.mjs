// SIGTERM: sockets get a close frame, requests in flight finish, and the process ends with 0.
import assert from "node:assert/strict";
import { test } from "node:test";
import { client, connect, signIn } from "./support/clients.mjs";
import { Server } from "./support/server.mjs";

test("a drain closes sockets properly, keeps accounts, and exits with 0", async () => {
  const server = await Server.start({ shards: 2, flags: { shutdown_grace_sec: 5 } });
  try {
    const players = await Promise.all(Array.from({ length: 8 }, async () => connect(await signIn(server))));
    const closed = players.map((p) => p.inbox.next("disconnect", () => true, 8000));
    const ended = await server.terminate();
    assert.deepEqual(ended, { code: 0, signal: null });
    for (const event of await Promise.all(closed)) assert.equal(event.wasClean, true, `close code ${event.code}`);
    await server.up();
    for (const player of players) {
      const again = await client(server).authenticateDevice(player.device, false);
      assert.equal(again.user_id, player.session.user_id);
    }
  } finally {
    await server.stop();
  }
});
