// The matchmaker with the unmodified SDK: players and parties on different shards look for each other, are
// told of their match, and meet in it.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, beforeEach, describe, test } from "node:test";
import { Calls } from "./support/calls.mjs";
import { connect, connectOnShard, shardOf, signIn } from "./support/clients.mjs";
import { metric, startWithMetrics } from "./support/metrics.mjs";
import { eventually, refused } from "./support/refusals.mjs";
import { Wire } from "./support/wire.mjs";

const NAMES = { json: "JSON", schema: "protobuf" };
const FAST = { "matchmaker.interval_sec": 1 };
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const names = (users) => users.map((user) => user.presence.user_id).toSorted();
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** Two rounds and some time to be told. */
const matched = (user) => user.inbox.next("matchmaker_matched", () => true, 4000);
const notMatched = (user, ms = 2500) => user.inbox.none("matchmaker_matched", () => true, ms);

for (const [one, other] of [["json", "schema"], ["schema", "json"]]) {
  describe(`players who speak ${NAMES[one]} and ${NAMES[other]}, on two shards`, () => {
    let server;
    let ann;
    let ben;
    let cat;
    let all;

    before(async () => {
      server = await startWithMetrics(FAST);
      ann = await connectOnShard(server, 0, { format: one });
      ben = await connectOnShard(server, 1, { format: other });
      cat = await connectOnShard(server, 1, { format: one });
      all = [ann, ben, cat];
      assert.deepEqual(all.map((user) => shardOf(user.self.session_id)), [0, 1, 1]);
    });
    after(async () => {
      for (const user of all ?? []) user.socket.disconnect(false);
      await server?.stop();
    });
    beforeEach(() => all.forEach((user) => user.inbox.clear()));

    const tickets = () => metric(server, "matchmaker_tickets");
    const emptyPool = () => eventually("the pool is empty", async () => (await tickets()) === 0);

    test("are told of their match and meet in it", async () => {
      const mine = await ann.socket.addMatchmaker("*", 2, 2, { mode: "duel", empty: "" }, { rank: 2.5, zero: 0 });
      const yours = await ben.socket.addMatchmaker("*", 2, 2, { mode: "other" }, { rank: -1 });
      assert.match(mine.ticket, UUID);
      const [toAnn, toBen] = [await matched(ann), await matched(ben)];
      assert.deepEqual([toAnn.ticket, toBen.ticket], [mine.ticket, yours.ticket]);
      assert.ok(toAnn.token && toAnn.token === toBen.token);
      assert.equal(toAnn.match_id ?? "", "");
      assert.deepEqual(names(toAnn.users), [ann, ben].map((user) => user.session.user_id).toSorted());
      assert.deepEqual(names(toBen.users), names(toAnn.users));
      for (const [told, user, properties] of [
        [toAnn, ann, [{ mode: "duel", empty: "" }, { rank: 2.5, zero: 0 }]],
        [toBen, ben, [{ mode: "other" }, { rank: -1 }]],
      ]) {
        const { presence } = told.self;
        assert.deepEqual([presence.user_id, presence.session_id, presence.username], [user.session.user_id, user.self.session_id, user.session.username]);
        assert.deepEqual([{ ...told.self.string_properties }, { ...told.self.numeric_properties }], properties);
        assert.equal(told.self.party_id ?? "", "");
        const shown = toAnn.users.find((shown) => shown.presence.user_id === user.session.user_id);
        assert.deepEqual({ ...shown.string_properties }, properties[0]);
      }
      // Whoever comes first finds nobody there, and may enter all the same.
      const first = await ben.socket.joinMatch(undefined, toBen.token);
      const second = await ann.socket.joinMatch(undefined, toAnn.token);
      assert.equal(first.match_id, second.match_id);
      assert.deepEqual(second.presences.map((presence) => presence.user_id), [ben.session.user_id]);
      await ann.socket.sendMatchState(first.match_id, 1, new TextEncoder().encode("hello"));
      assert.equal((await ben.inbox.next("match_data")).op_code, 1);
      for (const user of [ann, ben]) await user.socket.leaveMatch(first.match_id);
      await emptyPool();
    });

    test("are found by what they ask for, and by nobody else", async () => {
      const ask = (user, mode, rank) =>
        user.socket.addMatchmaker(`+properties.mode:${mode} +properties.rank:>=5 +properties.rank:<=10`, 2, 2, { mode }, { rank });
      await ask(ann, "ranked", 5);
      await ask(ben, "casual", 6);
      // Of those who are found nobody asks what they look for themselves.
      const { ticket } = await cat.socket.addMatchmaker("+properties.mode:nobody", 2, 2, { mode: "ranked" }, { rank: 11 });
      await Promise.all([ann, ben].map((user) => notMatched(user, 1500)));
      await cat.socket.removeMatchmaker(ticket);
      await ask(cat, "ranked", 10);
      const [toAnn, toCat] = [await matched(ann), await matched(cat)];
      assert.deepEqual(names(toAnn.users), names(toCat.users));
      await notMatched(ben, 100);
      await ben.socket.addMatchmaker("*", 3, 3);
      assert.equal(await tickets(), 2);
      const wire = await Wire.open(server, ben.session.token);
      wire.close();
      ben.socket.disconnect(false);
      await emptyPool();
      ben = await connectOnShard(server, 1, { format: other });
      all = [ann, ben, cat];
    });

    test("wait for a full match, and then take a smaller one", async () => {
      for (const user of all) await user.socket.addMatchmaker("*", 2, 4);
      const started = Date.now();
      const told = await Promise.all(all.map(matched));
      assert.ok(Date.now() - started > 900, "the first round is not their last");
      for (const { users } of told) assert.equal(users.length, 3);
      await emptyPool();
    });

    test("come in multiples", async () => {
      const wires = await Promise.all(all.map((user) => Wire.open(server, user.session.token, { format: "protobuf" })));
      for (const wire of wires) {
        const add = { min_count: 2, max_count: 4, query: "*", count_multiple: 2 };
        const answer = await wire.call({ matchmaker_add: add });
        assert.match(answer.matchmaker_ticket?.ticket ?? JSON.stringify(answer), UUID);
      }
      // The youngest has to wait.
      const isMatch = (envelope) => envelope.matchmaker_matched;
      const told = await Promise.all(wires.slice(0, 2).map((wire) => wire.next(isMatch, 4000)));
      assert.deepEqual(told.map((envelope) => envelope.matchmaker_matched.users.length), [2, 2]);
      await wires[2].none(isMatch);
      assert.equal(await tickets(), 1);
      for (const wire of wires) wire.close();
      await emptyPool();
    });

    test("who close their sockets or take their tickets back are matched with nobody", async () => {
      const gone = await connectOnShard(server, 0, { format: other });
      await gone.socket.addMatchmaker("*", 2, 2);
      gone.socket.disconnect(false);
      await emptyPool();
      const { ticket } = await ben.socket.addMatchmaker("*", 2, 2);
      await refused(ann.socket.removeMatchmaker(ticket), "Matchmaker ticket not found");
      await ben.socket.removeMatchmaker(ticket);
      await refused(ben.socket.removeMatchmaker(ticket), "Matchmaker ticket not found");
      await ann.socket.addMatchmaker("*", 2, 2);
      await notMatched(ann, 1500);
      await cat.socket.addMatchmaker("*", 2, 2);
      assert.deepEqual(names((await matched(ann)).users), [ann, cat].map((user) => user.session.user_id).toSorted());
    });

    test("are refused what makes no match", async () => {
      const add = (min, max, query = "*") => ann.socket.addMatchmaker(query, min, max);
      await refused(add(1, 4), "Invalid minimum count, must be >= 2");
      await refused(add(-2, 4), "Invalid minimum count, must be >= 2");
      await refused(add(3, 2), "Invalid maximum count, must be >= minimum count");
      for (const query of ["properties.a:", "+", '"', "a^b", "a:>b"]) {
        await refused(add(2, 4, query), "Error adding to matchmaker", 0);
      }
      await refused(ann.socket.removeMatchmaker(""), "Invalid matchmaker ticket");
      for (const ticket of ["nonsense", randomUUID()]) {
        await refused(ann.socket.removeMatchmaker(ticket), "Matchmaker ticket not found");
      }
      const wire = await Wire.open(server, ann.session.token);
      const multiple = async (min_count, max_count, value) =>
        (await wire.call({ matchmaker_add: { min_count, max_count, count_multiple: value } })).error;
      assert.deepEqual(await multiple(2, 4, 0), { code: 3, message: "Invalid count multiple, must be >= 1" });
      assert.deepEqual(await multiple(3, 4, 2), { code: 3, message: "Invalid count multiple for minimum count, must divide" });
      assert.deepEqual(await multiple(2, 5, 2), { code: 3, message: "Invalid count multiple for maximum count, must divide" });
      wire.close();
      const tickets = [];
      for (let count = 0; count < 3; count += 1) tickets.push((await add(50, 60)).ticket);
      await refused(add(50, 60), "Error adding to matchmaker", 0);
      await ann.socket.removeMatchmaker(tickets.pop());
      tickets.push((await add(50, 60)).ticket);
      for (const ticket of tickets) await ann.socket.removeMatchmaker(ticket);
      await emptyPool();
    });

    test("have their party matched by its leader", async () => {
      const dan = await connectOnShard(server, 0, { format: one });
      const party = await ann.socket.createParty(true, 4);
      const id = party.party_id;
      await ben.socket.joinParty(id);
      await ann.inbox.next("party_presence", (event) => event.joins?.length === 1);
      await refused(ben.socket.addMatchmakerParty(id, "*", 3, 3), "Error adding party to matchmaker: party leader only");
      const mine = await ann.socket.addMatchmakerParty(id, "+properties.side:red", 3, 3, { side: "blue" }, { skill: 3 });
      assert.equal(mine.party_id, id);
      assert.match(mine.ticket, UUID);
      const told = await ben.inbox.next("party_matchmaker_ticket");
      assert.deepEqual([told.party_id, told.ticket], [id, mine.ticket]);
      const solo = await dan.socket.addMatchmaker("properties.side:blue", 3, 3, { side: "red" });
      const [toAnn, toBen, toDan] = [await matched(ann), await matched(ben), await matched(dan)];
      assert.deepEqual([toAnn, toBen, toDan].map(({ ticket }) => ticket), [mine.ticket, mine.ticket, solo.ticket]);
      assert.deepEqual([toAnn, toBen, toDan].map(({ self }) => self.party_id ?? ""), [id, id, ""]);
      for (const { users } of [toAnn, toBen, toDan]) {
        assert.deepEqual(names(users), [ann, ben, dan].map((user) => user.session.user_id).toSorted());
        assert.equal(users.filter((user) => user.party_id === id && user.numeric_properties.skill === 3).length, 2);
      }
      const joined = await Promise.all([[ann, toAnn], [ben, toBen], [dan, toDan]].map(([user, told]) => user.socket.joinMatch(undefined, told.token)));
      assert.equal(new Set(joined.map((match) => match.match_id)).size, 1);
      for (const user of [ann, ben]) await user.socket.leaveMatch(joined[0].match_id);
      dan.socket.disconnect(false);
      await ann.socket.closeParty(id);
    });

    test("who leave their party, or come to it, end its search", async () => {
      const { party_id: id } = await ann.socket.createParty(true, 4);
      const add = () => ann.socket.addMatchmakerParty(id, "*", 4, 4);
      await ben.socket.joinParty(id);
      await ann.inbox.next("party_presence", (event) => event.joins?.length === 1);
      const first = await add();
      assert.equal(await tickets(), 1);
      await refused(ann.socket.removeMatchmaker(first.ticket), "Matchmaker ticket not found");
      await refused(ben.socket.removeMatchmakerParty(id, first.ticket), "Error closing party: party leader only");
      await ann.socket.removeMatchmakerParty(id, first.ticket);
      await refused(ann.socket.removeMatchmakerParty(id, first.ticket), "Error closing party: matchmaker ticket not found");
      await refused(ann.socket.removeMatchmakerParty(id, ""), "Invalid matchmaker ticket");
      await refused(ann.socket.removeMatchmakerParty("nothing", "ticket"), "Invalid party ID");
      await refused(ann.socket.addMatchmakerParty("nothing", "*", 2, 2), "Invalid party ID");
      await refused(ann.socket.addMatchmakerParty(id, "*", 1, 2), "Invalid minimum count, must be >= 2");
      await refused(ann.socket.addMatchmakerParty(id, "a:", 2, 2), "Error adding party to matchmaker: matchmaker query invalid");
      await add();
      await cat.socket.joinParty(id);
      await emptyPool();
      await add();
      await cat.socket.leaveParty(id);
      await emptyPool();
      await add();
      await refused(add().then(add).then(add), "Error adding party to matchmaker: matchmaker too many tickets");
      assert.equal(await tickets(), 3);
      await ann.socket.closeParty(id);
      await emptyPool();
    });

    test("nothing is left behind", async () => {
      await emptyPool();
      await eventually("no match is left", async () => (await metric(server, "relayed_matches")) === 0);
      assert.ok((await metric(server, "matchmaker_matched")) >= 12);
      assert.ok((await metric(server, "matchmaker_process_time_count")) > 0);
      assert.equal(await metric(server, "matchmaker_active_tickets"), 0);
    });
  });
}

describe("the matchmaker", () => {
  let server;
  before(async () => {
    server = await startWithMetrics({ ...FAST, "matchmaker.rev_precision": true, "matchmaker.max_tickets": 1 });
  });
  after(() => server?.stop());

  test("matches both ways where that is wanted, and gives out as many tickets as it is told to", async () => {
    const [ann, ben, cat] = [await connect(await signIn(server)), await connect(await signIn(server)), await connect(await signIn(server))];
    await ann.socket.addMatchmaker("properties.rank:>100", 2, 2, {}, { rank: 5 });
    await refused(ann.socket.addMatchmaker("*", 2, 2), "Error adding to matchmaker", 0);
    await ben.socket.addMatchmaker("*", 2, 2, {}, { rank: 6 });
    await notMatched(ben);
    await cat.socket.addMatchmaker("*", 2, 2, {}, { rank: 101 });
    const told = await cat.inbox.next("matchmaker_matched");
    // The oldest is found first.
    assert.deepEqual(names(told.users), [ann, cat].map((user) => user.session.user_id).toSorted());
    for (const { socket } of [ann, ben, cat]) socket.disconnect(false);
  });

  test("tells how long players waited, over HTTP and gRPC", async () => {
    const stats = async (user) => {
      const response = await fetch(`${server.url}/v2/matchmaker/stats`, { headers: { authorization: `Bearer ${user.session.token}` } });
      assert.equal(response.status, 200);
      return response.json();
    };
    const [ann, ben, cat] = [await connect(await signIn(server)), await connect(await signIn(server)), await connect(await signIn(server))];
    await eventually("the pool is empty", async () => !("ticket_count" in (await stats(ann))));
    await ann.socket.addMatchmaker("*", 2, 2);
    await ben.socket.addMatchmaker("*", 2, 2);
    await ben.inbox.next("matchmaker_matched", () => true, 4000);
    await cat.socket.addMatchmaker("*", 2, 2);
    await eventually("a round is over", async () => (await stats(ann)).ticket_count === 1);
    const { oldest_ticket_create_time: oldest, completions } = await stats(cat);
    assert.ok(Math.abs(Date.parse(oldest) - Date.now()) < 60_000);
    assert.ok(completions.length >= 2 && completions.length <= 10);
    for (const { create_time, complete_time } of completions) assert.ok(Date.parse(create_time) <= Date.parse(complete_time));
    const reply = await new Calls(server).ok(ann, "GetMatchmakerStats", {});
    assert.equal(reply.ticket_count, 1);
    assert.equal(reply.completions.length, completions.length);
    assert.equal((await fetch(`${server.url}/v2/matchmaker/stats`)).status, 401);
    for (const { socket } of [ann, ben, cat]) socket.disconnect(false);
  });

  test("brings a crowd together, each player once", async () => {
    const crowd = await Promise.all(Array.from({ length: 60 }, async () => {
      const { session } = await signIn(server);
      return Wire.open(server, session.token, { format: Math.random() < 0.5 ? "json" : "protobuf" });
    }));
    await Promise.all(crowd.map((wire, at) => {
      const mode = at % 3 === 0 ? "a" : "b";
      return wire.call({ matchmaker_add: { min_count: 4, max_count: 4, query: `+properties.mode:${mode}`, string_properties: { mode } } });
    }));
    const told = await Promise.all(crowd.map((wire) => wire.next((envelope) => envelope.matchmaker_matched, 8000)));
    const matches = new Map();
    told.forEach(({ matchmaker_matched: { token, users } }, at) => {
      assert.equal(users.length, 4);
      assert.equal(new Set(users.map((user) => user.string_properties.mode)).size, 1);
      matches.set(token, [...(matches.get(token) ?? []), at]);
    });
    assert.equal(matches.size, 15);
    for (const players of matches.values()) assert.equal(players.length, 4);
    await sleep(1200);
    for (const wire of crowd) await wire.none((envelope) => envelope.matchmaker_matched, 0);
    for (const wire of crowd) wire.close();
  });
});
