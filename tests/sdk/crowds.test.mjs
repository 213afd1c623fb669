// Many clients on the same rows at once, over HTTP, on two shards: nothing is lost, no conflict of the
// database reaches a client, and no count drifts. The counts are counted again by SQL.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { Time, insertBoard, sql } from "./support/boards.mjs";
import { Calls } from "./support/calls.mjs";
import { signIn } from "./support/clients.mjs";
import { eventually } from "./support/refusals.mjs";
import { onBothStores } from "./support/stores.mjs";

const [INVALID, NOT_FOUND, PRECONDITION] = [3, 5, 9];
const now = () => Math.floor(Date.now() / 1000);
const times = (count, make) => Promise.all(Array.from({ length: count }, (_, n) => make(n)));
const ids = (...people) => people.map((one) => one.session.user_id);
/** The same order in every run, so that a failure can be had again. */
const dice = (seed) => () => (seed = (seed * 1103515245 + 12345) % 2147483648) / 2147483648;

onBothStores("crowds", (context) => {
  let calls;

  before(() => (calls = new Calls(context.server)));
  after(() => calls.close());

  const people = (count) => times(count, () => signIn(context.server));
  const number = async (statement) => Number(await sql(context, statement));
  const ok = async (user, rpc, request) => {
    const { code, message, reply } = await calls.http(user, rpc, request);
    assert.equal(code, 0, `${rpc} ${JSON.stringify(request)}: ${message}`);
    return reply;
  };

  /** Asks all at once; nobody may hear of anything but these refusals. */
  const crowd = async (asks, allowed = []) => {
    const answers = await Promise.all(asks.map(([user, rpc, request]) => calls.http(user, rpc, request)));
    for (const [n, { code, message }] of answers.entries()) {
      assert.ok([0, ...allowed].includes(code), `${asks[n][1]} ${JSON.stringify(asks[n][2])}: ${code} ${message}`);
    }
    return answers;
  };
  const granted = (answers) => answers.filter((answer) => answer.code === 0);

  const noDrift = async () => {
    assert.equal(
      await number("SELECT count(*) FROM users u WHERE u.edge_count <> (SELECT count(*) FROM user_edge e WHERE e.source_id = u.id)"),
      0,
      "friends are counted",
    );
    assert.equal(
      await number("SELECT count(*) FROM groups g WHERE g.edge_count <> (SELECT count(*) FROM group_edge e WHERE e.source_id = g.id AND e.state < 3)"),
      0,
      "members are counted",
    );
    assert.equal(await number("SELECT count(*) FROM groups WHERE edge_count > max_count"), 0, "no group is too full");
    const mates = "SELECT 1 FROM user_edge b WHERE b.source_id = a.destination_id AND b.destination_id = a.source_id";
    assert.equal(
      await number(`SELECT count(*) FROM user_edge a WHERE a.state < 3 AND NOT EXISTS (${mates} AND b.state = CASE a.state WHEN 1 THEN 2 WHEN 2 THEN 1 ELSE 0 END)`),
      0,
      "each friend has the other side",
    );
    assert.equal(
      await number("SELECT count(*) FROM group_edge a WHERE a.state < 4 AND NOT EXISTS (SELECT 1 FROM group_edge b WHERE b.source_id = a.destination_id AND b.destination_id = a.source_id AND b.state = a.state)"),
      0,
      "each member has the other side",
    );
  };

  test("befriend, accept, block and part", async () => {
    const all = await people(8);
    const roll = dice(7);
    const verbs = ["AddFriends", "AddFriends", "AddFriends", "BlockFriends", "DeleteFriends"];
    for (let round = 0; round < 4; round += 1) {
      const asks = all.flatMap((one) =>
        Array.from({ length: 5 }, () => {
          const whom = all.filter((other) => other !== one && roll() < 0.4);
          const by = roll() < 0.5 ? { ids: ids(...whom) } : { usernames: whom.map((other) => other.session.username) };
          return [one, verbs[Math.floor(roll() * verbs.length)], by];
        }),
      );
      await crowd(asks);
      await noDrift();
    }
    await crowd(all.flatMap((one) => all.filter((other) => other !== one).map((other) => [one, "DeleteFriends", { ids: ids(other) }])));
    await noDrift();
  });

  test("ask one another for friendship at the same moment and are friends", async () => {
    const pairs = await times(8, () => people(2));
    await crowd(pairs.flatMap(([one, two]) => [[one, "AddFriends", { ids: ids(two) }], [two, "AddFriends", { ids: ids(one) }]]));
    for (const pair of pairs) {
      for (const one of pair) assert.deepEqual((await ok(one, "ListFriends")).friends.map((friend) => friend.state), [0]);
    }
    await noDrift();
  });

  test("join a group up to its size", async () => {
    const [founder, ...rest] = await people(25);
    const group = await ok(founder, "CreateGroup", { name: randomUUID(), open: true, max_count: 10 });
    const joins = await crowd(rest.map((one) => [one, "JoinGroup", { group_id: group.id }]), [INVALID]);
    assert.equal(granted(joins).length, 9);
    assert.equal(await number(`SELECT edge_count FROM groups WHERE name = '${group.name}'`), 10);
    const closed = await ok(founder, "CreateGroup", { name: randomUUID(), open: false, max_count: 6 });
    const request = { group_id: closed.id };
    await crowd(rest.slice(0, 12).map((one) => [one, "JoinGroup", request]), [INVALID]);
    const adds = await crowd(rest.slice(0, 12).map((one) => [founder, "AddGroupUsers", { ...request, user_ids: ids(one) }]), [INVALID]);
    assert.equal(granted(adds).length, 5);
    await noDrift();
  });

  test("come, rise, fall and go in a group that keeps a leader", async () => {
    const all = await people(9);
    const [founder, deputy] = all;
    const group = await ok(founder, "CreateGroup", { name: randomUUID(), open: true, max_count: 7 });
    const group_id = group.id;
    await ok(deputy, "JoinGroup", { group_id });
    for (let n = 0; n < 2; n += 1) await ok(founder, "PromoteGroupUsers", { group_id, user_ids: ids(deputy) });
    const roll = dice(11);
    const acts = ["AddGroupUsers", "KickGroupUsers", "BanGroupUsers", "PromoteGroupUsers", "DemoteGroupUsers", "PromoteGroupUsers"];
    for (let round = 0; round < 4; round += 1) {
      const asks = all.flatMap((one) =>
        Array.from({ length: 4 }, () => {
          const dieRoll = roll();
          if (dieRoll < 0.25) return [one, "JoinGroup", { group_id }];
          if (dieRoll < 0.35) return [one, "LeaveGroup", { group_id }];
          const user_ids = ids(...all.filter((other) => other !== one && roll() < 0.3));
          return [one, acts[Math.floor(roll() * acts.length)], { group_id, user_ids: user_ids.length > 0 ? user_ids : ids(founder) }];
        }),
      );
      await crowd(asks, [INVALID, NOT_FOUND]);
      await noDrift();
      const leaders = `SELECT count(*) FROM group_edge e JOIN groups g ON e.source_id = g.id WHERE g.name = '${group.name}' AND e.state = 0`;
      const left = await number(`SELECT count(*) FROM groups WHERE name = '${group.name}'`);
      assert.ok(left === 0 || (await number(leaders)) > 0, "somebody leads");
    }
  });

  test("the last leaders leave together and one stays", async () => {
    const leaders = await people(4);
    const [founder, ...others] = leaders;
    const { id: group_id } = await ok(founder, "CreateGroup", { name: randomUUID(), open: true });
    for (const other of others) {
      await ok(other, "JoinGroup", { group_id });
      for (let n = 0; n < 2; n += 1) await ok(founder, "PromoteGroupUsers", { group_id, user_ids: ids(other) });
    }
    const member = (await people(1))[0];
    await ok(member, "JoinGroup", { group_id });
    const leaves = await crowd(leaders.map((one) => [one, "LeaveGroup", { group_id }]), [INVALID]);
    assert.equal(granted(leaves).length, 3);
    await noDrift();
  });

  test("delete their accounts while others befriend them and share their groups", async () => {
    const [founder, ...all] = await people(10);
    const { id: group_id } = await ok(founder, "CreateGroup", { name: randomUUID(), open: true });
    const leaving = all.slice(0, 4);
    await crowd([
      ...all.flatMap((one, n) => [
        [one, "JoinGroup", { group_id }],
        [one, "AddFriends", { ids: ids(...all.slice(n + 1)) }],
        [founder, "AddFriends", { ids: ids(one) }],
        [one, "AddFriends", { ids: ids(founder) }],
      ]).filter(([, rpc, request]) => rpc !== "AddFriends" || request.ids.length > 0),
      ...leaving.map((one) => [one, "DeleteAccount", {}]),
    ], [NOT_FOUND, INVALID, 16]);
    await noDrift();
    const gone = await calls.http(founder, "GetUsers", { ids: ids(...leaving) });
    assert.deepEqual(gone.reply.users ?? [], []);
  });

  test("write an object that was not there: one is the first, and one has each version", async () => {
    const [user] = await people(1);
    const write = (n, version) => [user, "WriteStorageObjects", { objects: [{ collection: "one", key: "key", value: JSON.stringify({ n }), version }] }];
    const firsts = await crowd(Array.from({ length: 16 }, (_, n) => write(n, "*")), [INVALID]);
    assert.equal(granted(firsts).length, 1);
    let [{ version }] = granted(firsts)[0].reply.acks;
    for (let round = 1; round <= 8; round += 1) {
      const answers = await crowd(Array.from({ length: 12 }, (_, n) => write(round * 100 + n, version)), [INVALID]);
      assert.equal(granted(answers).length, 1, `round ${round}`);
      [{ version }] = granted(answers)[0].reply.acks;
      const { objects } = await ok(user, "ReadStorageObjects", { object_ids: [{ collection: "one", key: "key", user_id: user.session.user_id }] });
      assert.equal(objects[0].version, version);
    }
    const remove = [user, "DeleteStorageObjects", { object_ids: [{ collection: "one", key: "key", version }] }];
    assert.equal(granted(await crowd(Array.from({ length: 12 }, () => remove), [INVALID])).length, 1);
  });

  test("write the same objects in opposite orders, each batch whole or not at all", async () => {
    const [user] = await people(1);
    const keys = Array.from({ length: 8 }, (_, n) => `k${n}`);
    const roll = dice(3);
    const batch = (n) => {
      const order = n % 3 === 0 ? keys : n % 3 === 1 ? keys.toReversed() : keys.toSorted(() => roll() - 0.5);
      return [user, "WriteStorageObjects", { objects: order.map((key) => ({ collection: "many", key, value: JSON.stringify({ n }) })) }];
    };
    const doomed = (n) => {
      const [, rpc, { objects }] = batch(n);
      objects[n % objects.length].version = "never so";
      return [user, rpc, { objects }];
    };
    await crowd([batch(0)]);
    const answers = await crowd(Array.from({ length: 45 }, (_, n) => (n % 5 === 4 ? doomed(n) : batch(n))), [INVALID]);
    assert.equal(granted(answers).length, 36, "all but those of a wrong version");
    const object_ids = keys.map((key) => ({ collection: "many", key, user_id: user.session.user_id }));
    const { objects } = await ok(user, "ReadStorageObjects", { object_ids });
    const written = new Set(objects.map((object) => JSON.parse(object.value).n));
    assert.equal(written.size, 1, `one batch was the last: ${[...written]}`);
    assert.notEqual([...written][0] % 5, 4);
    await crowd([
      ...Array.from({ length: 10 }, (_, n) => batch(n)),
      ...Array.from({ length: 10 }, (_, n) => [user, "DeleteStorageObjects", { object_ids: n % 2 ? object_ids : object_ids.toReversed() }]),
    ], [INVALID]);
    const rest = await number(`SELECT count(*) FROM storage WHERE collection = 'many'`);
    assert.ok(rest === 0 || rest === keys.length, `${rest} objects are left`);
  });

  test("write to leaderboards of every operator, and every score counts", async () => {
    const [BEST, SET, INCREMENT, DECREMENT] = [0, 1, 2, 3];
    const scores = Array.from({ length: 12 }, (_, n) => n + 1);
    const sum = 78;
    const players = await people(4);
    for (const [operator, sort_order, expected] of [
      [BEST, 1, (score, count) => score === 12 && count >= 1 && count <= 12],
      [BEST, 0, (score, count) => score === 1 && count >= 1 && count <= 12],
      [SET, 1, (score, count) => scores.includes(score) && count === 12],
      [INCREMENT, 1, (score, count) => score === sum && count === 12],
      [DECREMENT, 1, (score, count) => score === 0 && count === 12],
    ]) {
      const leaderboard_id = randomUUID();
      await insertBoard(context, { id: leaderboard_id, operator, sort_order });
      const roll = dice(operator + 1);
      const asks = players.flatMap((user) => scores.map((score) => [user, "WriteLeaderboardRecord", { leaderboard_id, record: { score: String(score) } }]));
      await crowd(asks.toSorted(() => roll() - 0.5));
      const { records, rank_count } = await ok(players[0], "ListLeaderboardRecords", { leaderboard_id, limit: { value: 100 } });
      const what = `operator ${operator}, order ${sort_order}: ${JSON.stringify(records)}`;
      assert.deepEqual([records.length, Number(rank_count)], [4, 4], what);
      for (const { score, num_score } of records) assert.ok(expected(Number(score ?? 0), num_score), what);
      assert.deepEqual(records.map((record) => Number(record.rank)), [1, 2, 3, 4], what);
      for (const [n, record] of records.entries()) {
        const around = await ok(players[0], "ListLeaderboardRecordsAroundOwner", { leaderboard_id, owner_id: record.owner_id, limit: { value: 1 } });
        assert.equal(Number(around.records[0].rank), n + 1, "the ranks that are kept are those of the list");
      }
    }
  });

  test("come and go on leaderboards, and the ranks are soon those of who is there", async () => {
    const boards = Array.from({ length: 5 }, () => randomUUID());
    for (const id of boards) await insertBoard(context, { id, operator: 0 });
    const players = await people(10);
    const write = (user, leaderboard_id, score) => [user, "WriteLeaderboardRecord", { leaderboard_id, record: { score: String(score) } }];
    const remove = (user, leaderboard_id) => [user, "DeleteLeaderboardRecord", { leaderboard_id }];
    await crowd(players.flatMap((user, n) => boards.flatMap((id) => [write(user, id, n), remove(user, id), write(user, id, 10 - n)])));
    for (const leaderboard_id of boards) {
      const { records = [] } = await ok(players[0], "ListLeaderboardRecords", { leaderboard_id, limit: { value: 100 } });
      assert.equal(records.length, await number(`SELECT count(*) FROM leaderboard_record WHERE leaderboard_id = '${leaderboard_id}'`));
      const places = new Map(records.map((record, n) => [record.owner_id, n + 1]));
      await eventually("the ranks are not those of the records", async () => {
        const page = await ok(players[0], "ListLeaderboardRecords", { leaderboard_id, owner_ids: ids(...players) });
        const owned = page.owner_records ?? [];
        return Number(page.rank_count ?? 0) === records.length && owned.every((record) => Number(record.rank) === places.get(record.owner_id));
      }, 10_000);
    }
  });

  test("join a tournament up to its size, and try as often as it lets them", async () => {
    const cup = { duration: 3600, start_time: new Time(now() - 5), title: "Cup" };
    const size = (id) => number(`SELECT size FROM leaderboard WHERE id = '${id}'`);
    const records = (id) => number(`SELECT count(*) FROM leaderboard_record WHERE leaderboard_id = '${id}'`);
    const players = await people(24);
    const joined = randomUUID();
    await insertBoard(context, { id: joined, ...cup, join_required: true, max_size: 7 });
    const joins = await crowd(players.flatMap((user) => [[user, "JoinTournament", { tournament_id: joined }], [user, "JoinTournament", { tournament_id: joined }]]), [INVALID]);
    assert.equal(granted(joins).length, 14, "seven, twice each");
    assert.deepEqual([await size(joined), await records(joined)], [7, 7]);

    const open = randomUUID();
    await insertBoard(context, { id: open, ...cup, max_size: 9, max_num_score: 3, operator: 2 });
    const write = (user) => [user, "WriteTournamentRecord", { tournament_id: open, record: { score: "1" } }];
    const writes = await crowd(players.flatMap((user) => Array.from({ length: 5 }, () => write(user))), [PRECONDITION]);
    assert.equal(granted(writes).length, 27, "nine, thrice each");
    assert.deepEqual([await size(open), await records(open)], [9, 9]);
    assert.equal(await number(`SELECT count(*) FROM leaderboard_record WHERE leaderboard_id = '${open}' AND (num_score <> 3 OR score <> 3)`), 0);

    const remove = (user) => [user, "DeleteTournamentRecord", { tournament_id: open }];
    await crowd(players.flatMap((user) => [write(user), remove(user), write(user)]), [PRECONDITION, NOT_FOUND]);
    assert.equal(await size(open), await records(open));
    assert.ok((await size(open)) <= 9);
  });

  test("nobody is told of a conflict in the database", () => {
    assert.doesNotMatch(context.server.log, /panicked|deadlock detected/);
  });
});
