// Clients that send without end, and those beside them who do not.
import assert from "node:assert/strict";
import net from "node:net";
import { after, before, describe, test } from "node:test";
import WebSocket from "ws";
import { connect, connectOnShard, signIn } from "./support/clients.mjs";
import { Server } from "./support/server.mjs";

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** Seconds since then, those that have begun too. */
const seconds = (since) => Math.ceil((Date.now() - since) / 1000);

describe("a session that floods", () => {
  let server;
  before(async () => {
    server = await Server.start({
      shards: 2,
      flags: { "flood.session_messages_per_sec": 2, "flood.session_messages_burst": 20, "flood.refusals_max": 30 },
    });
  });
  after(() => server?.stop());

  for (const format of ["json", "protobuf"]) {
    test(`hears that a message was not handled, and goes on later (${format})`, async () => {
      const user = await connect(await signIn(server), { format });
      const started = Date.now();
      const joins = Array.from({ length: 25 }, (_, n) => user.socket.joinChat(`room-${n}`, 1, false, false));
      const settled = await Promise.allSettled(joins);
      const refused = settled.filter((one) => one.status === "rejected");
      // The SDK may have pinged by itself; two more are served in each second.
      const served = 2 * seconds(started);
      assert.ok(refused.length >= 5 - served && refused.length <= 6, `${refused.length} refused`);
      for (const { reason } of refused) assert.match(reason.message, /Too many messages/);
      await sleep(1000);
      assert.ok((await user.socket.joinChat("later", 1, false, false)).id);
      user.socket.disconnect(false);
    });
  }

  test("is disconnected in the end, and nobody else is", async () => {
    const witness = await connectOnShard(server, 0);
    await sleep(1000);
    const { session } = await signIn(server);
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/ws?token=${session.token}&lang=en&status=true`);
    const closed = new Promise((resolve) => socket.once("close", (code, reason) => resolve([code, reason.toString()])));
    const replies = { pong: 0, error: 0 };
    socket.on("message", (text) => (replies[Object.keys(JSON.parse(text)).find((key) => key !== "cid")] += 1));
    await new Promise((resolve) => socket.once("open", resolve));
    const started = Date.now();
    for (let n = 0; n < 500; n += 1) socket.send(JSON.stringify({ cid: String(n + 1), ping: {} }));
    assert.deepEqual(await closed, [1008, "too many messages"]);
    const served = 20 + 2 * seconds(started);
    assert.ok(replies.pong >= 20 && replies.pong <= served, `${replies.pong} were served`);
    assert.ok(replies.error >= 30 && replies.error <= 30 + served, `${replies.error} were refused`);
    const room = await witness.socket.joinChat("quiet", 1, false, false);
    await witness.socket.writeChatMessage(room.id, { still: "here" });
    witness.socket.disconnect(false);
  });
});

describe("an address that floods", () => {
  let server;
  let witness;
  before(async () => {
    server = await Server.start({
      shards: 1,
      flags: { "flood.address_requests_per_sec": 10, "flood.address_requests_burst": 30, "flood.refusals_max": 60 },
    });
    witness = await connect(await signIn(server));
  });
  after(async () => {
    witness?.socket.disconnect(false);
    await server?.stop();
  });

  const get = () => fetch(`${server.url}/healthcheck`, { headers: { connection: "keep-alive" } });

  test("is told when to come back, then loses its connections, and is served again after a rest", async () => {
    await sleep(3100);
    const seen = { 200: 0, 429: 0, cut: 0 };
    for (let n = 0; n < 400 && seen.cut === 0; n += 1) {
      const reply = await get().catch(() => undefined);
      if (!reply) {
        seen.cut += 1;
        continue;
      }
      const body = await reply.json();
      seen[reply.status] += 1;
      if (reply.status === 429) {
        assert.deepEqual(body, { code: 8, message: "Too many requests, try again later." });
        assert.equal(reply.headers.get("retry-after"), "1");
      }
    }
    assert.ok(seen[200] >= 30 && seen[429] >= 60 && seen.cut === 1, JSON.stringify(seen));

    const room = await witness.socket.joinChat("quiet", 1, false, false);
    assert.ok(room.id, "a session that is open is not disturbed");
    await sleep(3100);
    assert.equal((await get()).status, 200);
  });

  test("gets no new socket while it floods", async () => {
    await sleep(3100);
    const { session } = await signIn(server);
    const statuses = [];
    for (let n = 0; n < 60; n += 1) {
      const socket = new WebSocket(`ws://127.0.0.1:${server.port}/ws?token=${session.token}`);
      statuses.push(
        await new Promise((resolve) => {
          socket.once("open", () => resolve(101));
          socket.once("unexpected-response", (_, response) => resolve(response.statusCode));
          socket.once("error", () => resolve(0));
        }),
      );
      socket.terminate();
    }
    assert.ok(statuses.includes(101) && statuses.includes(429), statuses.join());
  });
});

test("an address that opens connections without end has those over the rate closed", async () => {
  const server = await Server.start({
    shards: 1,
    flags: { "flood.address_connections_per_sec": 10, "flood.address_connections_burst": 20 },
  });
  try {
    await sleep(3100);
    const attempt = () =>
      new Promise((resolve) => {
        const socket = net.connect(server.port, "127.0.0.1", () => socket.write("GET /healthcheck HTTP/1.1\r\nHost: x\r\n\r\n"));
        socket.once("data", () => (socket.destroy(), resolve("served")));
        socket.once("error", () => resolve("closed"));
        socket.once("close", () => resolve("closed"));
      });
    const started = Date.now();
    const outcomes = await Promise.all(Array.from({ length: 60 }, attempt));
    const served = outcomes.filter((outcome) => outcome === "served").length;
    assert.ok(served >= 20 && served <= 20 + 10 * seconds(started), `${served} of 60 were served`);
    await sleep(1000);
    assert.equal(await attempt(), "served");
  } finally {
    await server.stop();
  }
});
