// Every bound of the realtime side: it has a key that `--help` tells of, a default, a clear error, and a
// number that shows that it was met.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import net from "node:net";
import { describe, test } from "node:test";
import { signIn } from "./support/clients.mjs";
import { metric, startWithMetrics } from "./support/metrics.mjs";
import { eventually } from "./support/refusals.mjs";
import { binary } from "./support/server.mjs";
import { Wire } from "./support/wire.mjs";

/** Keys, their defaults, and the counters that tell when they are met. */
const LIMITS = {
  "session.max_per_user": [0, "sessions_over_user_bound"],
  "session.max_streams": [1024, "stream_joins_refused"],
  "session.max_status_follows": [10000, "stream_joins_refused"],
  "tracker.max_streams": [4000000, "stream_joins_refused"],
  "tracker.max_presences_per_stream": [100000, "stream_joins_refused"],
  "party.max_size": [256, "parties_refused"],
  "party.max_parties": [1000000, "parties_refused"],
  "socket.max_message_size_bytes": [4096, "sessions_oversize"],
  "socket.max_request_size_bytes": [262144, "http_bodies_too_large"],
  "socket.outgoing_queue_size": [64, "sessions_slow"],
  "socket.outgoing_queue_size_bytes": [1048576, "sessions_slow"],
  "socket.max_connections": [200000, "sockets_refused"],
  "socket.max_connections_per_address": [0, "sockets_refused"],
  "flood.session_messages_per_sec": [0, "flood_messages_refused"],
  "flood.address_requests_per_sec": [0, "flood_requests_refused"],
  "flood.address_connections_per_sec": [0, "flood_connections_refused"],
  "flood.refusals_max": [100, "flood_sessions_closed"],
};

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const join = (target) => ({ channel_join: { target, type: 1 } });
const error = (message, code) => ({ error: code ? { code, message } : { message } });

test("the help tells of every bound, its default and its counter", () => {
  const help = execFileSync(binary, ["--help"]).toString().split("\n");
  for (const [key, [value, counter]] of Object.entries(LIMITS)) {
    const at = help.findIndex((line) => line.startsWith(`  --${key} `));
    assert.ok(at >= 0, key);
    assert.match(help[at], new RegExp(`\\(default ${value}, `));
    assert.match(help[at + 1], new RegExp(`Counted as .${counter}.\\.`), key);
  }
});

/** Runs `meet` on a server where a bound is low, and sees its counter go up by at least `least`. */
function bound(key, value, meet, { least = 1, shards = 2, flags = {} } = {}) {
  const counter = LIMITS[key][1];
  test(`${key}, counted as ${counter}`, async () => {
    const server = await startWithMetrics({ [key]: value, ...flags }, shards);
    const wires = [];
    const open = async (user, options) => {
      const wire = await Wire.open(server, user.session.token, options);
      wires.push(wire);
      return wire;
    };
    try {
      await meet({ server, open, user: (name) => signIn(server, name) });
      await eventually(`${counter} is below ${least}`, async () => (await metric(server, counter)) >= least);
      assert.equal(await metric(server, "task_panics"), 0);
    } finally {
      for (const wire of wires) wire.socket.terminate();
      await server.stop();
    }
  });
}

describe("a bound", () => {
  bound("session.max_per_user", 2, async ({ open, user }) => {
    const who = await user();
    const wires = [];
    for (let n = 0; n < 4; n += 1) {
      wires.push(await open(who, { format: n % 2 ? "protobuf" : "json" }));
      await wires.at(-1).call({ ping: {} });
    }
    for (const old of wires.slice(0, 2)) assert.deepEqual(await old.closed, { code: 1008, reason: "too many sessions of this user" });
    for (const young of wires.slice(2)) assert.deepEqual(await young.call({ ping: {} }), { pong: {} });
    assert.deepEqual(await (await open(await user())).call({ ping: {} }), { pong: {} }, "other users are not concerned");
  }, { least: 2 });

  bound("session.max_streams", 3, async ({ open, user }) => {
    const full = "The session has joined too many streams.";
    for (const format of ["json", "protobuf"]) {
      // Its notifications are one of them.
      const wire = await open(await user(), { format });
      const { channel } = await wire.call(join("one"));
      await wire.call(join("two"));
      assert.deepEqual(await wire.call(join("three")), error(`Error joining channel: ${full}`));
      assert.deepEqual(await wire.call({ match_create: {} }), error(`Error joining match: ${full}`));
      assert.deepEqual(await wire.call({ match_create: { name: "arena" } }), error(`Error joining match: ${full}`));
      assert.deepEqual(await wire.call({ party_create: { max_size: 2 } }), error("Error tracking party creation"));
      assert.deepEqual(await wire.call({ status_update: { status: "here" } }), error("Error tracking status update"));
      assert.equal((await wire.call(join("one"))).channel.id, channel.id, "where it is already it joins again");
      assert.deepEqual(await wire.call({ channel_leave: { channel_id: channel.id } }), {});
      const { match } = await wire.call({ match_create: {} });
      assert.equal(match.size, 1);
    }
  }, { least: 10 });

  bound("session.max_status_follows", 2, async ({ open, user }) => {
    const ids = [];
    for (let n = 0; n < 3; n += 1) ids.push((await user()).session.user_id);
    for (const format of ["json", "protobuf"]) {
      const wire = await open(await user(), { format });
      assert.deepEqual(await wire.call({ status_follow: { user_ids: ids } }), error("Error following users: The session follows too many users."));
      assert.deepEqual(await wire.call({ status_follow: { user_ids: ids.slice(1) } }), { status: {} });
    }
  }, { least: 2 });

  bound("tracker.max_streams", 6, async ({ open, user }) => {
    const wire = await open(await user());
    let refused;
    for (let n = 0; !refused && n < 20; n += 1) refused = (await wire.call(join(`room ${n}`))).error;
    assert.deepEqual({ error: refused }, error("Error joining channel: Too many streams on this server."));
    // Who has no place for its notifications gets no session.
    const other = await open(await user());
    assert.deepEqual(await other.closed, { code: 1013, reason: "server too busy" });
    await wire.call({ channel_leave: { channel_id: "2...room 0" } });
    assert.deepEqual(await (await open(await user())).call({ ping: {} }), { pong: {} });
  }, { least: 2, shards: 1 });

  bound("tracker.max_presences_per_stream", 2, async ({ open, user }) => {
    const wires = [];
    for (const format of ["json", "protobuf", "json", "protobuf"]) wires.push(await open(await user(), { format }));
    const [one, two, ...others] = wires;
    await one.call(join("lobby"));
    await two.call(join("lobby"));
    for (const wire of others) assert.deepEqual(await wire.call(join("lobby")), error("Error joining channel: This stream is full."));
    await one.call({ channel_leave: { channel_id: "2...lobby" } });
    assert.equal((await others[0].call(join("lobby"))).channel.presences.length, 1);
    const { match } = await one.call({ match_create: {} });
    await two.call({ match_join: { match_id: match.match_id } });
    assert.deepEqual(await others[1].call({ match_join: { match_id: match.match_id } }), error("Error joining match: This stream is full."));
  }, { least: 3 });

  bound("party.max_size", 3, async ({ open, user }) => {
    for (const format of ["json", "protobuf"]) {
      const wire = await open(await user(), { format });
      for (const max_size of [-1, 4, 256]) {
        assert.deepEqual(await wire.call({ party_create: { max_size } }), error("Invalid party max size, must be 1-3", 3));
      }
      assert.equal((await wire.call({ party_create: { max_size: 3 } })).party.max_size, 3);
    }
  }, { least: 6 });

  bound("party.max_parties", 2, async ({ open, user }) => {
    const wire = await open(await user());
    const { party } = await wire.call({ party_create: { max_size: 3 } });
    await wire.call({ party_create: { max_size: 3 } });
    assert.deepEqual(await wire.call({ party_create: { max_size: 3 } }), error("Error creating party: too many parties on this server"));
    await wire.call({ party_close: { party_id: party.party_id } });
    assert.ok((await wire.call({ party_create: { max_size: 3 } })).party.party_id);
  }, { shards: 1 });

  bound("socket.max_message_size_bytes", 512, async ({ open, user }) => {
    const message = (length) => ({ rpc: { id: "x".repeat(length) } });
    for (const format of ["json", "protobuf"]) {
      const wire = await open(await user(), { format });
      assert.deepEqual(await wire.call(message(450)), error("RPC function not found", 6));
      wire.send(message(513));
      assert.equal((await wire.closed).code, 1009);
    }
  }, { least: 2 });

  bound("socket.max_request_size_bytes", 512, async ({ server }) => {
    const post = (length) =>
      fetch(`${server.url}/v2/account/authenticate/device?create=true`, {
        method: "POST",
        headers: { authorization: `Basic ${btoa("defaultkey:")}` },
        body: JSON.stringify({ id: randomUUID(), vars: { x: "y".repeat(length) } }),
      });
    assert.equal((await post(100)).status, 200);
    const refused = await post(600);
    assert.deepEqual([refused.status, await refused.json()], [400, { code: 3, message: "http: request body too large" }]);
  });

  for (const [key, value, flags] of [
    ["socket.outgoing_queue_size", 8, { "socket.outgoing_queue_size_bytes": 1 << 30 }],
    ["socket.outgoing_queue_size_bytes", 16_384, { "socket.outgoing_queue_size": 1 << 20 }],
  ]) {
    bound(key, value, async ({ open, user }) => {
      const slow = await open(await user());
      await slow.call(join("flood"));
      slow.socket.pause();
      const writer = await open(await user(), { format: "protobuf" });
      await writer.call(join("flood"));
      const send = { channel_message_send: { channel_id: "2...flood", content: JSON.stringify({ text: "y".repeat(3000) }) } };
      let left;
      const gone = writer.next((envelope) => envelope.channel_presence_event?.leaves?.length > 0, 30_000).then((event) => (left = event));
      for (let n = 0; !left && n < 6000; n += 10) await Promise.all(Array.from({ length: 10 }, () => writer.call(send, 20_000)));
      assert.equal((await gone).channel_presence_event.leaves.length, 1);
    }, { flags: { "socket.send_buffer_size_bytes": 4096, ...flags } });
  }

  for (const key of ["socket.max_connections", "socket.max_connections_per_address"]) {
    bound(key, 30, async ({ server, open, user }) => {
      const wire = await open(await user());
      const connections = Array.from({ length: 60 }, () => {
        const socket = net.connect(server.port, "127.0.0.1");
        socket.on("error", () => {});
        // What it says last is discarded, so that its end is seen.
        socket.resume();
        return socket;
      });
      const closed = () => connections.filter((socket) => socket.closed).length;
      await eventually("30 of 60 are closed", () => closed() >= 30);
      assert.deepEqual(await wire.call({ ping: {} }), { pong: {} }, "who is in stays in");
      // A few of the thirty are our own client's.
      assert.ok(closed() <= 40, `${closed()} of 60 were closed`);
      for (const socket of connections) socket.destroy();
      await eventually("there is room again", async () => {
        const again = await open(await user().catch(() => ({ session: { token: "" } }))).catch(() => undefined);
        return again !== undefined;
      });
    }, { least: 30, shards: 1 });
  }

  bound("flood.session_messages_per_sec", 1, async ({ open, user }) => {
    const wire = await open(await user(), { format: "protobuf" });
    const answers = await Promise.all(Array.from({ length: 20 }, () => wire.call({ ping: {} })));
    const refused = answers.filter((answer) => answer.error);
    assert.ok(refused.length >= 5, `${refused.length} were refused`);
    for (const answer of refused) assert.deepEqual(answer, error("Too many messages, try again later."));
  }, { least: 5, flags: { "flood.session_messages_burst": 10 } });

  bound("flood.refusals_max", 5, async ({ open, user }) => {
    const wire = await open(await user());
    for (let n = 0; n < 40; n += 1) wire.send({ ping: {} });
    assert.deepEqual(await wire.closed, { code: 1008, reason: "too many messages" });
  }, { flags: { "flood.session_messages_per_sec": 1 } });

  bound("flood.address_requests_per_sec", 5, async ({ server }) => {
    const replies = await Promise.all(Array.from({ length: 30 }, () => fetch(`${server.url}/healthcheck`)));
    const refused = replies.filter((reply) => reply.status === 429);
    assert.ok(refused.length > 0, "none was refused");
    for (const reply of refused) assert.deepEqual(await reply.json(), { code: 8, message: "Too many requests, try again later." });
  }, { shards: 1 });

  bound("flood.address_connections_per_sec", 5, async ({ server }) => {
    const ended = await Promise.all(Array.from({ length: 40 }, () => new Promise((done) => {
      const socket = net.connect(server.port, "127.0.0.1");
      socket.on("error", () => {});
      socket.resume();
      socket.once("close", () => done(true));
      setTimeout(() => (socket.destroy(), done(false)), 500);
    })));
    assert.ok(ended.filter(Boolean).length > 0, "none was closed");
  }, { shards: 1 });
});
