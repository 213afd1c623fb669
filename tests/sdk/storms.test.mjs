// What a crowd, a broken network or a hostile client can do to the realtime side. Each test ends with a witness
// that was served all along, and with nothing left behind.
import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { shardOf, signIn } from "./support/clients.mjs";
import { RawSocket, TEXT, frame } from "./support/frames.mjs";
import { metric, startWithMetrics } from "./support/metrics.mjs";
import { encode } from "./support/protobuf_adapter.mjs";
import { eventually } from "./support/refusals.mjs";
import { Wire } from "./support/wire.mjs";

const PATIENCE = 120_000;
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const join = (target) => ({ channel_join: { target, type: 1, persistence: false } });
const all = (count, make) => Promise.all(Array.from({ length: count }, (_, n) => make(n)));

/** Makes many, some at a time: a debug build of the server signs in and opens a few hundred a second. */
async function crowd(count, make, atOnce = 50) {
  const made = [];
  while (made.length < count) {
    const from = made.length;
    made.push(...(await all(Math.min(atOnce, count - from), (n) => make(from + n))));
  }
  return made;
}

describe("a storm", () => {
  let server;
  let token;
  let witness;
  let watching;

  before(async () => {
    server = await startWithMetrics({
      "session.token_expiry_sec": 3600,
      "session.max_streams": 1500,
      // Its clients are many and share a core with it: a late pong is no offence here.
      "socket.pong_wait_ms": 300_000,
      "socket.outgoing_queue_size": 4096,
      "socket.outgoing_queue_size_bytes": 64 << 20,
      "socket.max_message_size_bytes": 1 << 20,
    });
    token = (await signIn(server)).session.token;
    witness = [];
    for (const shard of [0, 1]) witness.push(await onShard(shard));
  });
  after(async () => {
    for (const wire of witness ?? []) wire.socket.terminate();
    await server?.stop();
  });

  async function onShard(shard, format = "json") {
    for (;;) {
      const wire = await Wire.open(server, token, { format });
      const { match } = await wire.call({ match_create: {} }, PATIENCE);
      wire.session = match.self.session_id;
      await wire.call({ match_leave: { match_id: match.match_id } }, PATIENCE);
      if (shardOf(wire.session) === shard) return wire;
      wire.socket.terminate();
    }
  }

  // Somebody on each shard plays on, whatever happens: a chat that both hear.
  beforeEach(() => {
    const name = `witness ${randomUUID()}`;
    let over = false;
    const watch = (async () => {
      let served = 0;
      for (const wire of witness) await wire.call(join(name), PATIENCE);
      while (!over || served === 0) {
        const content = JSON.stringify({ served });
        await witness[served % 2].call({ channel_message_send: { channel_id: `2...${name}`, content } }, PATIENCE);
        for (const wire of witness) await wire.next((envelope) => envelope.channel_message?.content === content, PATIENCE);
        served += 1;
        await sleep(20);
      }
      for (const wire of witness) await wire.call({ channel_leave: { channel_id: `2...${name}` } }, PATIENCE);
      return served;
    })();
    // Where it fails, `afterEach` says so.
    watch.catch(() => {});
    watching = () => ((over = true), watch);
  });

  afterEach(async () => {
    assert.ok((await watching()) > 0);
    for (const [name, wanted] of Object.entries({ sessions: 2, presences: 2, streams: 1, memberships: 2, parties: 0, relayed_matches: 0, task_panics: 0, socket_panics: 0 })) {
      let last;
      await eventually(`${name} is not ${wanted}`, async () => (last = await metric(server, name)) === wanted, 30_000).catch((error) => {
        throw new Error(`${error.message} but ${last}`);
      });
    }
  });

  test("of sockets that end in half, or in the middle of a frame", async () => {
    const silent = await all(60, async (n) => {
      const raw = await RawSocket.open(server, token, { format: "json" });
      raw.send(frame(TEXT, JSON.stringify({ channel_join: { target: "silent", type: 1 } })), frame(TEXT, JSON.stringify({ match_create: {} })));
      if (n % 3 === 0) raw.socket.end();
      if (n % 3 === 1) raw.send(frame(TEXT, JSON.stringify({ party_create: { max_size: 3 } })).subarray(0, 9));
      return raw;
    });
    await eventually("those that ended in half are gone", async () => (await metric(server, "sessions")) <= 42, 30_000);
    for (const raw of silent) raw.destroy();
  });

  test("of joins and leaves", async () => {
    const wires = await crowd(24, (n) => Wire.open(server, token, { format: n % 2 ? "json" : "protobuf" }));
    const rooms = Array.from({ length: 5 }, () => randomUUID());
    const { match } = await wires[0].call({ match_create: { name: randomUUID() } });
    await Promise.all(wires.map(async (wire, n) => {
      const answers = [];
      for (let round = 0; round < 60; round += 1) {
        const room = rooms[(n + round) % rooms.length];
        answers.push(wire.call(join(room), PATIENCE));
        if (round % 3) answers.push(wire.call({ channel_leave: { channel_id: `2...${room}` } }, PATIENCE));
        answers.push(wire.call({ match_join: { match_id: match.match_id } }, PATIENCE));
        if (round % 2) answers.push(wire.call({ match_leave: { match_id: match.match_id } }, PATIENCE));
      }
      for (const answer of await Promise.all(answers)) {
        // The match may be over by then.
        assert.ok(!answer.error || answer.error.code === 4, JSON.stringify(answer.error));
      }
    }));
    // Half say goodbye, half do not.
    wires.forEach((wire, n) => (n % 2 ? wire.close() : wire.socket.terminate()));
  });

  test("of two thousand who join a party", async () => {
    const leader = await onShard(0);
    const { party } = await leader.call({ party_create: { open: true, max_size: 256 } });
    const id = party.party_id;
    const wires = await crowd(500, (n) => Wire.open(server, token, { format: n % 2 ? "json" : "protobuf" }));
    const outcomes = { in: 0, full: 0 };
    // Each of them four times, again and again where there is no room.
    await Promise.all(wires.map(async (wire) => {
      for (let round = 0; round < 4; round += 1) {
        const { error } = await wire.call({ party_join: { party_id: id } }, PATIENCE);
        assert.ok(!error || error.message === "Error joining party: party full", error?.message);
        outcomes[error ? "full" : "in"] += 1;
      }
    }));
    assert.equal(outcomes.in + outcomes.full, 2000);
    assert.ok(outcomes.in >= 255 && outcomes.full >= 4 * (500 - 255), JSON.stringify(outcomes));
    await leader.call({ party_data_send: { party_id: id, op_code: 1, data: "" } }, PATIENCE);
    const heard = await Promise.all(wires.map((wire) => wire.next((envelope) => envelope.party_data, 10_000).then(() => 1, () => 0)));
    assert.equal(heard.reduce((sum, one) => sum + one), 255, "every member hears");
    leader.socket.terminate();
    const members = wires.filter((_, n) => heard[n]);
    // Its oldest member leads now, whoever that is; every member hears of the same.
    const led = await Promise.all(members.map((wire) => wire.next((envelope) => envelope.party_leader, PATIENCE)));
    assert.equal(new Set(led.map((event) => event.party_leader.presence.session_id)).size, 1);
    wires.forEach((wire, n) => (n % 2 ? wire.close() : wire.socket.terminate()));
  });

  test("of two thousand who ask to join a closed party", async () => {
    const leader = await onShard(1);
    const { party } = await leader.call({ party_create: { open: false, max_size: 256 } });
    const id = party.party_id;
    const users = await crowd(300, () => signIn(server), 10);
    const wires = await crowd(300, (n) => Wire.open(server, users[n].session.token));
    const outcomes = {};
    await Promise.all(wires.map(async (wire) => {
      for (let round = 0; round < 7; round += 1) {
        const { error } = await wire.call({ party_join: { party_id: id } }, PATIENCE);
        const what = error?.message ?? "asked";
        outcomes[what] = (outcomes[what] ?? 0) + 1;
      }
    }));
    assert.equal(outcomes.asked, 256);
    assert.equal(outcomes["Error joining party: party join requests full"] + (outcomes["Error joining party: party join request duplicate"] ?? 0), 2100 - 256);
    const { party_join_request: asked } = await leader.call({ party_join_request_list: { party_id: id } }, PATIENCE);
    assert.equal(asked.presences.length, 256);
    // They go away, and cannot be taken in.
    for (const wire of wires) wire.socket.terminate();
    await eventually("they are gone", async () => (await metric(server, "sessions")) === 3, 30_000);
    const { error } = await leader.call({ party_accept: { party_id: id, presence: asked.presences[0] } }, PATIENCE);
    assert.equal(error.message, "Error accepting party join request: party could not accept request");
    leader.close();
  });

  test("of rooms on one session, up to the bound", async () => {
    const wires = [await onShard(0), await onShard(1, "protobuf")];
    await Promise.all(wires.map(async (wire) => {
      let refused = 0;
      for (let n = 0; n < 1600; n += 100) {
        const answers = await all(100, (m) => wire.call(join(`room ${n + m}`), PATIENCE));
        refused += answers.filter((answer) => answer.error?.message === "Error joining channel: The session has joined too many streams.").length;
      }
      // Its notifications are one of the fifteen hundred.
      assert.equal(refused, 101);
    }));
    assert.equal(await metric(server, "streams") >= 1499, true);
    wires[0].close();
    wires[1].socket.terminate();
  });

  test("of malformed protobuf", async () => {
    const whole = [
      { cid: "1", channel_join: { target: "x", type: 1, persistence: true, hidden: true } },
      { cid: "1", match_data_send: { match_id: "x.", op_code: 7, data: "AAAA", presences: [{ user_id: "x", session_id: "y", username: "z" }], reliable: true } },
      { cid: "1", status_follow: { user_ids: ["x"], usernames: ["y"] } },
      { cid: "1", party_accept: { party_id: "x.y", presence: { user_id: "x", session_id: "y", username: "z" } } },
    ].map((message) => Buffer.from(encode(message)));
    await crowd(400, async (n) => {
      const wire = await Wire.open(server, token, { format: "protobuf" });
      let bytes = Buffer.from(whole[n % whole.length]);
      if (n % 4 === 0) bytes = bytes.subarray(0, n % bytes.length);
      else if (n % 4 === 1) bytes = randomBytes(1 + (n * 37) % 3000);
      else for (let flips = 0; flips < 3; flips += 1) bytes[randomBytes(1)[0] % bytes.length] ^= 1 << (n % 8);
      wire.socket.send(bytes);
      // A length of nearly two to the sixty-four, groups that never end, and nested ones without an end.
      wire.socket.send(Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]));
      wire.socket.send(Buffer.alloc(2000, 0x0b));
      assert.equal((await wire.closed).code, 1000);
    });
  });

  test("of nested JSON", async () => {
    const deep = (open, close, depth) => `${open.repeat(depth)}1${close.repeat(depth)}`;
    for (const depth of [100, 10_000, 100_000]) {
      for (const [open, close] of [["[", "]"], ['{"a":', "}"]]) {
        // As an envelope, as a field of one, and as a text in one: only the last is right.
        for (const text of [deep(open, close, depth), `{"ping":${deep(open, close, depth)}}`, `{"rpc":{"payload":${deep(open, close, depth)}}}`]) {
          const wire = await Wire.open(server, token);
          wire.socket.send(text);
          assert.deepEqual(await wire.closed, { code: 1000, reason: "received malformed payload" });
        }
      }
      const wire = await Wire.open(server, token);
      await wire.call(join("deep"));
      const content = deep('{"a":', "}", depth);
      const answer = await wire.call({ channel_message_send: { channel_id: "2...deep", content } });
      assert.ok(answer.channel_message_ack || answer.error?.message === "Message content must be a valid JSON object", JSON.stringify(answer).slice(0, 200));
      wire.close();
    }
    const wire = await Wire.open(server, token);
    await wire.call(join("deep"));
    wire.socket.send(`{"cid":"${"x".repeat(900_000)}","ping":{}}`);
    assert.equal((await wire.next((envelope) => envelope.pong)).cid.length, 900_000);
    wire.close();
  });

  test("of sessions that end in the middle of what others ask of them", async () => {
    for (let round = 0; round < 40; round += 1) {
      const ann = await onShard(round % 2);
      const ben = await onShard(1 - (round % 2), "protobuf");
      const { match } = await ben.call({ match_create: {} });
      const { party } = await ann.call({ party_create: { open: round % 4 < 2, max_size: 4 } });
      const asking = [
        ben.call({ party_join: { party_id: party.party_id } }).catch(() => {}),
        ann.call({ match_join: { match_id: match.match_id } }),
      ];
      await asking[1];
      const presence = { user_id: match.self.user_id, session_id: ben.session, username: match.self.username };
      const more = [
        ann.call({ party_accept: { party_id: party.party_id, presence } }),
        ann.call({ party_promote: { party_id: party.party_id, presence } }),
        ann.call(join(`room ${round}`)),
        ann.call({ party_remove: { party_id: party.party_id, presence } }),
        ann.call({ match_join: { match_id: match.match_id } }),
      ];
      ann.send({ match_data_send: { match_id: match.match_id, op_code: 1, data: "", presences: [presence] } });
      // The other ends while all of that is under way: by a reset, by a bad message, by a logout of the user.
      if (round % 3 === 0) ben.socket.terminate();
      else if (round % 3 === 1) ben.socket.send("text on a binary socket");
      else ben.close();
      for (const answer of await Promise.all(more)) assert.ok(answer, "each is answered");
      if (round % 2) ann.socket.terminate();
      else ann.close();
    }
  });
});

test("sockets that say no more are given up, wherever they stopped", async () => {
  const server = await startWithMetrics({ "socket.ping_period_ms": 500, "socket.pong_wait_ms": 2500 });
  try {
    const { session } = await signIn(server);
    const silent = await all(30, async (n) => {
      const raw = await RawSocket.open(server, session.token, { format: "json" });
      raw.send(frame(TEXT, JSON.stringify({ channel_join: { target: "silent", type: 1 } })));
      if (n % 3 === 1) raw.send(frame(TEXT, JSON.stringify({ party_create: { max_size: 3 } })).subarray(0, 9));
      if (n % 3 === 2) raw.socket.pause();
      return raw;
    });
    await eventually("the silent are given up", async () => (await metric(server, "sessions_silent")) >= 30, 60_000);
    for (const name of ["sessions", "presences", "streams", "task_panics"]) {
      await eventually(`${name} are left`, async () => (await metric(server, name)) === 0, 30_000);
    }
    for (const raw of silent) raw.destroy();
  } finally {
    await server.stop();
  }
});
