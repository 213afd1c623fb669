// Relayed matches with the unmodified SDK: every envelope, its errors, and players on different shards.
import assert from "node:assert/strict";
import { createHmac, randomUUID } from "node:crypto";
import { after, before, beforeEach, describe, test } from "node:test";
import WebSocket from "ws";
import { connect, connectOnShard, shardOf, signIn } from "./support/clients.mjs";
import { metric, startWithMetrics } from "./support/metrics.mjs";
import { eventually, refused } from "./support/refusals.mjs";

const KEY = "a session key for these tests";
const NAMES = { json: "JSON", schema: "protobuf" };
const bytes = (text) => new TextEncoder().encode(text);
const text = (data) => new TextDecoder().decode(data);
const ids = (presences) => (presences ?? []).map((presence) => presence.session_id);

/** A match token, signed by somebody who is not the server. */
function token(claims, key = KEY, header = { alg: "HS256", typ: "JWT" }) {
  const encode = (part) => Buffer.from(typeof part === "string" ? part : JSON.stringify(part)).toString("base64url");
  const signed = `${encode(header)}.${encode(claims)}`;
  return `${signed}.${createHmac("sha256", key).update(signed).digest("base64url")}`;
}

const soon = () => Math.floor(Date.now() / 1000) + 30;

for (const [creating, joining] of [["json", "schema"], ["schema", "json"]]) {
  describe(`a match whose creator speaks ${NAMES[creating]} and whose players speak ${NAMES[joining]}`, () => {
    let server;
    let ann;
    let ben;
    let cat;

    before(async () => {
      server = await startWithMetrics({ "session.encryption_key": KEY });
      ann = await connectOnShard(server, 0, { format: creating });
      ben = await connectOnShard(server, 1, { format: joining });
      cat = await connectOnShard(server, 0, { format: joining });
      assert.deepEqual([ann, ben, cat].map((user) => shardOf(user.self.session_id)), [0, 1, 0]);
    });

    after(async () => {
      for (const user of [ann, ben, cat]) user?.socket.disconnect(false);
      await server?.stop();
    });

    // What an earlier test left behind is for nobody.
    beforeEach(() => {
      for (const user of [ann, ben, cat]) user.inbox.clear();
    });

    async function leave(match, ...users) {
      for (const user of users) await user.socket.leaveMatch(match.match_id);
    }

    async function list(query = "") {
      const response = await fetch(`${server.url}/v2/match?${query}`, { headers: { authorization: `Bearer ${ann.session.token}` } });
      return { status: response.status, ...(await response.json()) };
    }

    test("its id tells its home, and its creator is in it", async () => {
      const match = await ann.socket.createMatch();
      const [id, node] = match.match_id.split(".");
      assert.equal(shardOf(id), 0);
      assert.equal(node, "");
      assert.equal(match.size, 1);
      assert.deepEqual(ids(match.presences), []);
      assert.equal(match.self.session_id, ann.self.session_id);
      assert.ok(!match.authoritative);
      const event = await ann.inbox.next("match_presence");
      assert.deepEqual(ids(event.joins), [ann.self.session_id]);
      await leave(match, ann);
    });

    test("a joiner sees who is there, and is seen", async () => {
      const match = await ann.socket.createMatch();
      const joined = await ben.socket.joinMatch(match.match_id);
      assert.equal(joined.match_id, match.match_id);
      assert.deepEqual(ids(joined.presences), [ann.self.session_id]);
      assert.equal(joined.size, 1, "the others");
      assert.equal(joined.self.username, ben.session.username);
      const event = await ann.inbox.next("match_presence", (e) => ids(e.joins).includes(ben.self.session_id));
      assert.equal(event.match_id, match.match_id);
      const again = await ben.socket.joinMatch(match.match_id);
      assert.equal(again.size, 2, "who is there already counts itself");
      await leave(match, ann, ben);
    });

    test("a name makes the same match for everybody", async () => {
      // RFC 9562, version 5 in the DNS namespace.
      const first = await ann.socket.createMatch("www.example.com");
      assert.equal(first.match_id, "2ed6657d-e927-568b-95e1-2665a8aea6a2.");
      assert.equal(first.size, 1);
      const second = await ben.socket.createMatch("www.example.com");
      assert.equal(second.match_id, first.match_id);
      assert.equal(second.size, 2);
      assert.deepEqual(ids(second.presences), [ann.self.session_id]);
      const third = await cat.socket.joinMatch(first.match_id);
      assert.equal(third.size, 2);
      await leave(first, ann, ben, cat);
      await refused(cat.socket.joinMatch(first.match_id), "Match not found", 4);
    });

    test("a token lets in who comes first, as the matchmaker's players do", async () => {
      const mid = `${randomUUID()}.`;
      await refused(ann.socket.joinMatch(mid), "Match not found", 4);
      const first = await ann.socket.joinMatch(undefined, token({ mid, exp: soon() }));
      assert.deepEqual([first.match_id, first.size ?? 0], [mid, 0]);
      const second = await ben.socket.joinMatch(undefined, token({ mid, exp: soon() }));
      assert.deepEqual([second.match_id, second.size], [mid, 1]);
      await leave(first, ann, ben);
      const bad = [
        token({ mid, exp: soon() - 60 }),
        token({ mid, exp: soon() }, "another key"),
        token({ mid, exp: soon() }, KEY, { alg: "none", typ: "JWT" }),
        token({ mid: "no id", exp: soon() }),
        token({ mid: randomUUID(), exp: soon() }),
        token({ exp: soon() }),
        "no.token.at-all",
      ];
      for (const one of bad) await refused(ann.socket.joinMatch(undefined, one), "Invalid match token");
    });

    test("ids that are none are refused", async () => {
      for (const id of ["", "x", "x.", randomUUID()]) {
        await refused(ann.socket.joinMatch(id), "Invalid match ID");
        await refused(ann.socket.leaveMatch(id), "Invalid match ID");
      }
      await refused(ann.socket.joinMatch(`${randomUUID()}.node`), "Match not found", 4);
      await refused(ann.socket.joinMatch(`${randomUUID()}.`), "Match not found", 4);
      await ann.socket.leaveMatch(`${randomUUID()}.`);
      await ann.socket.leaveMatch(`${randomUUID()}.node`);
    });

    test("data goes to all others, or to those who are chosen", async () => {
      const match = await ann.socket.createMatch();
      const id = match.match_id;
      await ben.socket.joinMatch(id);
      await cat.socket.joinMatch(id);

      await ann.socket.sendMatchState(id, 7, bytes("to all"));
      for (const user of [ben, cat]) {
        const data = await user.inbox.next("match_data");
        assert.deepEqual([Number(data.op_code), text(data.data), data.match_id], [7, "to all", id]);
        assert.equal(data.presence.session_id, ann.self.session_id);
        assert.ok(!data.reliable);
      }
      await ann.inbox.none("match_data");

      const presence = (user) => ({ user_id: user.session.user_id, session_id: user.self.session_id, username: user.session.username });
      await ann.socket.sendMatchState(id, 8, bytes("to ben and me"), [presence(ben), presence(ann)], true);
      for (const user of [ann, ben]) {
        const data = await user.inbox.next("match_data");
        assert.deepEqual([Number(data.op_code), text(data.data), data.reliable], [8, "to ben and me", true]);
      }
      await cat.inbox.none("match_data");

      await ann.socket.sendMatchState(id, 9, bytes(""));
      assert.equal(Number((await ben.inbox.next("match_data")).op_code), 9);

      await leave(match, cat);
      await cat.socket.sendMatchState(id, 10, bytes("from outside"));
      await ann.inbox.none("match_data", (data) => Number(data.op_code) === 10);
      await leave(match, ann, ben);
    });

    test("data goes to nobody where those who are chosen are none, or not there", async () => {
      const match = await ann.socket.createMatch();
      const id = match.match_id;
      await ben.socket.joinMatch(id);
      const [mine, theirs] = [ann, ben].map((user) => ({ user_id: user.session.user_id, session_id: user.self.session_id, username: user.session.username }));
      const nobody = [{ ...theirs, session_id: "none" }, { ...theirs, user_id: "none" }, { ...theirs, session_id: randomUUID() }, {}];
      for (const chosen of nobody) await ann.socket.sendMatchState(id, 1, bytes("lost"), [chosen]);
      await ann.socket.sendMatchState(id, 1, bytes("lost"), [theirs, { ...mine, session_id: "none" }]);
      // An empty list is none, and a name counts for nothing.
      await ann.socket.sendMatchState(id, 2, bytes("to all"), []);
      await ann.socket.sendMatchState(id, 3, bytes("to ben"), [{ ...theirs, username: "" }, theirs]);
      const got = [await ben.inbox.next("match_data"), await ben.inbox.next("match_data")];
      assert.deepEqual(got.map((data) => Number(data.op_code)), [2, 3]);
      await ben.inbox.none("match_data");
      await ann.inbox.none("match_data");
      // To a match that is over, or whose id is another node's, it goes nowhere as quietly.
      await leave(match, ann, ben);
      for (const gone of [id, `${id}test`, `${randomUUID()}.`]) await ann.socket.sendMatchState(gone, 4, bytes("late"));
      await leave(await ann.socket.createMatch(), ann);
    });

    test("a join says where it wants to go, and metadata means nothing to a relayed match", async () => {
      await refused(ann.socket.joinMatch(undefined), "No match ID or token found");
      const match = await ann.socket.createMatch();
      const joined = await ben.socket.joinMatch(match.match_id, undefined, { colour: "red" });
      assert.equal(joined.match_id, match.match_id);
      await leave(match, ann, ben);
      // Its id is written as it was sent.
      const named = await ann.socket.createMatch("upper and lower");
      const loud = await ben.socket.joinMatch(named.match_id.toUpperCase());
      assert.equal(loud.match_id, named.match_id.toUpperCase());
      assert.deepEqual(ids(loud.presences), [ann.self.session_id]);
      await leave(named, ann, ben);
    });

    test("each session of a player is in it for itself", async () => {
      const desk = await connect(ben, { format: creating });
      const match = await ann.socket.createMatch();
      await ben.socket.joinMatch(match.match_id);
      const joined = await desk.socket.joinMatch(match.match_id);
      assert.equal(joined.presences.length, 2);
      assert.equal(joined.presences.filter((presence) => presence.user_id === ben.session.user_id).length, 1);
      await desk.socket.sendMatchState(match.match_id, 5, bytes("from the desk"));
      for (const user of [ann, ben]) assert.equal((await user.inbox.next("match_data")).presence.session_id, joined.self.session_id);
      await desk.inbox.none("match_data");
      desk.socket.disconnect(false);
      const left = await ben.inbox.next("match_presence", (event) => event.leaves?.length > 0);
      assert.deepEqual(ids(left.leaves), [joined.self.session_id]);
      await leave(match, ann, ben);
    });

    test("data for an id that is none is answered with an error, without a cid", async () => {
      const raw = new WebSocket(`ws://127.0.0.1:${server.port}/ws?token=${encodeURIComponent(ann.session.token)}&format=json`);
      await new Promise((open) => raw.once("open", open));
      const answer = new Promise((resolve) => raw.once("message", (data) => resolve(JSON.parse(data))));
      raw.send(JSON.stringify({ cid: "7", match_data_send: { match_id: "x", op_code: "1", data: "" } }));
      assert.deepEqual(await answer, { error: { code: 3, message: "Invalid match ID" } });
      raw.close();
    });

    test("it outlives its creator, and ends with its last player", async () => {
      const dan = await connect(await signIn(server), { format: creating });
      const match = await dan.socket.createMatch();
      const id = match.match_id;
      await ben.socket.joinMatch(id);
      dan.socket.disconnect(false);
      const left = await ben.inbox.next("match_presence", (e) => e.leaves?.length > 0);
      assert.equal(left.leaves[0].user_id, dan.session.user_id);
      assert.deepEqual(ids((await cat.socket.joinMatch(id)).presences), [ben.self.session_id]);
      await leave(match, ben, cat);
      await refused(ann.socket.joinMatch(id), "Match not found", 4);
    });

    test("listings show the matches of all shards by size", async () => {
      const one = await ann.socket.createMatch();
      const two = await ben.socket.createMatch();
      await cat.socket.joinMatch(two.match_id);
      assert.deepEqual([one, two].map((match) => shardOf(match.match_id.split(".")[0])), [0, 1]);
      const sizes = (reply) => Object.fromEntries((reply.matches ?? []).map((match) => [match.match_id, match.size]));
      const both = { [one.match_id]: 1, [two.match_id]: 2 };
      assert.deepEqual(sizes(await list()), both);
      assert.deepEqual(sizes(await list("authoritative=false&limit=100")), both);
      assert.deepEqual(Object.keys((await list()).matches[0]).sort(), ["match_id", "size"]);
      assert.deepEqual(sizes(await list("min_size=2")), { [two.match_id]: 2 });
      assert.deepEqual(sizes(await list("max_size=1")), { [one.match_id]: 1 });
      assert.equal((await list("limit=1")).matches.length, 1);
      for (const none of ["authoritative=true", "label=x", "query=*", "min_size=3"]) {
        assert.deepEqual(await list(none), { status: 200 }, none);
      }
      const listed = await ann.client.listMatches(ann.session, 10, false, undefined, 2, 2);
      assert.deepEqual(listed.matches.map((match) => match.match_id), [two.match_id]);
      await leave(one, ann);
      await leave(two, ben, cat);
      assert.deepEqual(await list(), { status: 200 });
    });

    test("a listing that cannot be is refused", async () => {
      const cases = {
        "limit=0": "Invalid limit - limit must be between 1 and 100.",
        "limit=101": "Invalid limit - limit must be between 1 and 100.",
        "authoritative=false&label=x": "Label filtering is not supported for non-authoritative matches.",
        "authoritative=false&query=x": "Query filtering is not supported for non-authoritative matches.",
        "min_size=-1": "Minimum size must be 0 or above.",
        "max_size=-1": "Maximum size must be 0 or above.",
        "min_size=3&max_size=2": "Maximum size must be greater than or equal to minimum size when both are specified.",
      };
      for (const [query, message] of Object.entries(cases)) {
        const reply = await list(query);
        assert.deepEqual([reply.status, reply.code, reply.message], [400, 3, message], query);
      }
      const search = await list("query=label.mode%3Aranked");
      assert.deepEqual([search.status, search.code], [501, 12]);
      assert.match(search.message, /not built/);
    });

    test("a message that is too large ends the session", async () => {
      const dan = await connect(await signIn(server), { format: joining });
      const match = await dan.socket.createMatch();
      await ann.socket.joinMatch(match.match_id);
      await dan.socket.sendMatchState(match.match_id, 1, new Uint8Array(2500).fill(65));
      assert.equal((await ann.inbox.next("match_data")).data.length, 2500);
      await dan.socket.sendMatchState(match.match_id, 2, new Uint8Array(5000).fill(65));
      const closed = await dan.inbox.next("disconnect");
      assert.equal(closed.code, 1009);
      await ann.inbox.next("match_presence", (e) => e.leaves?.length > 0);
      await leave(match, ann);
    });

    test("nothing is left of the matches that are over", async () => {
      await eventually("matches are left", async () => (await metric(server, "relayed_matches")) === 0);
      assert.ok((await metric(server, "matches_refused")) > 0);
    });
  });
}

describe("one match at a time", () => {
  test("who joins another match leaves the first, and who creates one does not", async () => {
    const server = await startWithMetrics({ "session.single_match": true, "session.single_socket": true });
    try {
      const ann = await connectOnShard(server, 0);
      const ben = await connectOnShard(server, 1);
      const cat = await connectOnShard(server, 1, { format: "schema" });
      const first = await ann.socket.createMatch();
      const second = await ben.socket.createMatch();
      await cat.socket.joinMatch(first.match_id);
      await cat.socket.joinMatch(second.match_id);
      const left = await ann.inbox.next("match_presence", (e) => e.leaves?.length > 0);
      assert.deepEqual([left.match_id, ids(left.leaves)], [first.match_id, [cat.self.session_id]]);
      const third = await cat.socket.createMatch();
      await ben.inbox.none("match_presence", (e) => e.leaves?.length > 0);
      await ben.socket.joinMatch(third.match_id);
      const gone = await cat.inbox.next("match_presence", (e) => e.match_id === second.match_id && e.leaves?.length > 0);
      assert.deepEqual(ids(gone.leaves), [ben.self.session_id]);
      for (const user of [ann, ben, cat]) user.socket.disconnect(false);
      await eventually("matches are left", async () => (await metric(server, "relayed_matches")) === 0);
    } finally {
      await server.stop();
    }
  });
});
