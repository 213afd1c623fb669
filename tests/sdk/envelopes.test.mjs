// Every message of the realtime protocol, in both formats: what an empty one is answered with, what clients
// may not send, and how long a session outlives its token.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { connect, shardOf, signIn } from "./support/clients.mjs";
import { metric, startWithMetrics } from "./support/metrics.mjs";
import { Envelope } from "./support/protobuf_adapter.mjs";
import { eventually } from "./support/refusals.mjs";
import { Server } from "./support/server.mjs";
import { Wire } from "./support/wire.mjs";

const FORMATS = ["json", "protobuf"];
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const error = (code, message) => ({ error: code === 0 ? { message } : { code, message } });

/** What an empty message of a client is answered with; `undefined` with nothing. */
const EMPTY = {
  channel_join: error(3, "Invalid channel target"),
  channel_leave: error(3, "Invalid channel identifier"),
  channel_message_send: error(3, "Invalid channel identifier"),
  channel_message_update: error(3, "Invalid message identifier"),
  channel_message_remove: error(3, "Invalid message identifier"),
  match_join: error(3, "No match ID or token found"),
  match_leave: error(3, "Invalid match ID"),
  matchmaker_add: error(3, "Invalid minimum count, must be >= 2"),
  matchmaker_remove: error(3, "Invalid matchmaker ticket"),
  rpc: error(3, "RPC ID must be set"),
  status_follow: { status: {} },
  status_unfollow: {},
  status_update: {},
  ping: { pong: {} },
  pong: undefined,
  party_join: error(3, "Invalid party ID"),
  party_leave: error(3, "Invalid party ID"),
  party_promote: error(3, "Invalid presence"),
  party_accept: error(3, "Invalid presence"),
  party_remove: error(3, "Invalid presence"),
  party_close: error(3, "Invalid party ID"),
  party_join_request_list: error(3, "Invalid party ID"),
  party_matchmaker_add: error(3, "Invalid minimum count, must be >= 2"),
  party_matchmaker_remove: error(3, "Invalid matchmaker ticket"),
  party_data_send: error(3, "Invalid party ID"),
  party_update: error(3, "Invalid party ID"),
};
/** Those that create something, and the one that is answered without its cid. */
const OTHERS = ["match_create", "party_create", "match_data_send"];
const FROM_SERVERS = Envelope.oneofs.message.oneof.filter((name) => !(name in EMPTY) && !OTHERS.includes(name));

describe("every message", () => {
  let server;
  let user;

  before(async () => {
    server = await startWithMetrics();
    user = await signIn(server);
  });
  after(() => server?.stop());

  const open = (format) => Wire.open(server, user.session.token, { format });

  test("of the schema is known to these tests", () => {
    assert.deepEqual(FROM_SERVERS.toSorted(), [
      "channel", "channel_message", "channel_message_ack", "channel_presence_event", "error", "match", "match_data",
      "match_presence_event", "matchmaker_matched", "matchmaker_ticket", "notifications", "party", "party_data",
      "party_join_request", "party_leader", "party_matchmaker_ticket", "party_presence_event", "status",
      "status_presence_event", "stream_data", "stream_presence_event",
    ]);
  });

  for (const format of FORMATS) {
    test(`of a client is answered with its cid, also an empty one (${format})`, async () => {
      const wire = await open(format);
      for (const [name, answer] of Object.entries(EMPTY)) {
        if (answer === undefined) wire.send({ cid: "quiet", [name]: {} });
        else assert.deepEqual(await wire.call({ [name]: {} }), answer, name);
      }
      const { match } = await wire.call({ match_create: {} });
      assert.deepEqual([match.size, match.presences ?? []], [1, []]);
      assert.deepEqual(await wire.call({ match_leave: { match_id: match.match_id } }), {});
      const { party } = await wire.call({ party_create: {} });
      assert.deepEqual([party.max_size ?? 0, party.open ?? false, party.presences.length], [0, false, 1]);
      assert.deepEqual(await wire.call({ party_close: { party_id: party.party_id } }), {});
      wire.send({ cid: "7", match_data_send: {} });
      assert.deepEqual(await wire.next((envelope) => envelope.error), error(3, "Invalid match ID"));
      await wire.none((envelope) => envelope.cid === "quiet" || envelope.cid === "7");
      wire.close();
    });

    test(`without a cid is answered without one (${format})`, async () => {
      const wire = await open(format);
      wire.send({ ping: {} });
      assert.deepEqual(await wire.next(), { pong: {} });
      wire.send({ rpc: { id: "nothing" } });
      assert.deepEqual(await wire.next((envelope) => envelope.error), error(6, "RPC function not found"));
      wire.close();
    });

    test(`that is missing, or that only servers send, is refused by name, and costs the session (${format})`, async () => {
      const malformed = await metric(server, "sessions_malformed");
      const cases = [[{}, error(2, "Missing message.")], ...FROM_SERVERS.map((name) => [{ [name]: {} }, error(1, "Unrecognized message.")])];
      for (const [message, answer] of cases) {
        const wire = await open(format);
        assert.deepEqual(await wire.call(message), answer, JSON.stringify(message));
        assert.deepEqual(await wire.closed, { code: 1000, reason: "error processing message" });
      }
      await eventually("they are counted", async () => (await metric(server, "sessions_malformed")) === malformed + cases.length);
    });
  }

  test("that no version of the protocol knows is missing in protobuf, and malformed in JSON", async () => {
    const binary = await open("protobuf");
    // The field 1 is the cid; 500 is nobody's.
    binary.socket.send(Buffer.from([0x0a, 0x01, 0x37, 0xa2, 0x1f, 0x00]));
    assert.deepEqual(await binary.next(), { cid: "7", ...error(2, "Missing message.") });
    assert.deepEqual(await binary.closed, { code: 1000, reason: "error processing message" });
    const text = await open("json");
    text.socket.send('{"cid":"7","from_the_future":{}}');
    assert.deepEqual(await text.closed, { code: 1000, reason: "received malformed payload" });
  });

  test("behind one that costs the session is not carried out", async () => {
    const wire = await open("json");
    const witness = await open("protobuf");
    const name = randomUUID();
    const { channel } = await witness.call({ channel_join: { target: name, type: 1 } });
    await wire.call({ channel_join: { target: name, type: 1 } });
    wire.send({ cid: "1", error: {} });
    wire.send({ cid: "2", channel_message_send: { channel_id: channel.id, content: "{}" } });
    await wire.closed;
    await witness.next((envelope) => envelope.channel_presence_event?.leaves?.length > 0);
    await witness.none((envelope) => envelope.channel_message);
    witness.close();
  });

  test("nothing is left behind", async () => {
    for (const name of ["sessions", "presences", "streams", "parties", "relayed_matches"]) {
      await eventually(`${name} are left`, async () => (await metric(server, name)) === 0);
    }
  });
});

describe("a session and its token", () => {
  let server;
  before(async () => {
    server = await Server.start({ shards: 2, flags: { "session.token_expiry_sec": 2 } });
  });
  after(() => server?.stop());

  const opens = (token, options) => Wire.open(server, token, options).then(
    (wire) => (wire.close(), 101),
    (refused) => Number(/\d{3}/.exec(refused.message)[0]),
  );

  for (const format of FORMATS) {
    test(`outlives it, and no other is opened with it (${format})`, async () => {
      const { session } = await signIn(server);
      const wire = await Wire.open(server, session.token, { format });
      assert.equal(await opens(session.token), 101);
      await sleep(3100);
      assert.equal(await opens(session.token), 401);
      assert.deepEqual(await wire.call({ ping: {} }), { pong: {} });
      assert.equal((await wire.call({ channel_join: { target: "late", type: 1 } })).channel.id, "2...late");
      wire.close();
    });

    test(`outlives a logout, and no other is opened with it (${format})`, async () => {
      const { client, session } = await signIn(server);
      const wire = await Wire.open(server, session.token, { format });
      await client.sessionLogout(session, session.token, session.refresh_token);
      await eventually("every shard knows", async () => {
        const all = await Promise.all(Array.from({ length: 8 }, () => opens(session.token)));
        return all.every((status) => status === 401);
      });
      assert.equal((await wire.call({ channel_join: { target: "still", type: 1 } })).channel.id, "2...still");
      wire.close();
    });

    test(`ends with the account (${format})`, async () => {
      const { client, session } = await signIn(server);
      const phone = await Wire.open(server, session.token, { format });
      const desk = await Wire.open(server, session.token, { format });
      await client.deleteAccount(session);
      for (const wire of [phone, desk]) {
        assert.deepEqual(await wire.closed, { code: 1000, reason: "server-side session disconnect" });
      }
    });
  }

  test("is opened with a token in the header, which wins over the query", async () => {
    const { session } = await signIn(server);
    const bearer = (token) => ({ headers: { authorization: `Bearer ${token}` } });
    assert.equal(await opens(undefined, bearer(session.token)), 101);
    assert.equal(await opens("no token", bearer(session.token)), 101);
    assert.equal(await opens(session.token, bearer("no token")), 401);
    assert.equal(await opens(session.token, { headers: { authorization: "Basic ZGVmYXVsdGtleTo=" } }), 401);
    assert.equal(await opens(undefined), 401);
    assert.equal(await opens(""), 401);
    assert.equal(await opens(session.refresh_token), 401);
    assert.equal(await opens(session.token, { more: "&format=xml", format: "xml" }), 400);
  });

  test("has a home that its id tells", async () => {
    const homes = new Set();
    for (let tries = 0; homes.size < 2 && tries < 64; tries += 1) {
      // A token lives for two seconds here.
      const { session } = await signIn(server);
      const wire = await Wire.open(server, session.token);
      const { match } = await wire.call({ match_create: {} });
      homes.add(shardOf(match.self.session_id));
      assert.equal(shardOf(match.match_id.split(".")[0]), shardOf(match.self.session_id), "a match lives where it was made");
      wire.close();
    }
    assert.deepEqual([...homes].toSorted(), [0, 1]);
  });

  test("is the same in the SDK's own adapters", async () => {
    const [ann, ben] = [await connect(await signIn(server)), await connect(await signIn(server), { format: "protobuf" })];
    for (const { socket } of [ann, ben]) {
      await assert.rejects(socket.rpc("nothing"), (error) => error.code === 6 && error.message === "RPC function not found");
      await assert.rejects(socket.rpc(""), (error) => error.code === 3 && error.message === "RPC ID must be set");
      await assert.rejects(socket.addMatchmaker("*", 1, 4), (error) => error.code === 3 && error.message === "Invalid minimum count, must be >= 2");
      await assert.rejects(socket.removeMatchmaker("ticket"), (error) => error.code === 3 && error.message === "Matchmaker ticket not found");
      await assert.rejects(socket.joinMatch(undefined), (error) => error.code === 3 && error.message === "No match ID or token found");
      socket.disconnect(false);
    }
  });
});
