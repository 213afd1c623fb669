// Every cursor of the request interface: good after a restart on another number of shards, of use for its own
// list only, and refused when somebody changed it.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { Time, insertBoard } from "./support/boards.mjs";
import { Calls } from "./support/calls.mjs";
import { signIn } from "./support/clients.mjs";
import { onBothStores } from "./support/stores.mjs";

const COUNT = 5;
const INVALID = 3;
const INTERNAL = 13;
const limit = (value) => ({ limit: { value } });
const times = (make) => Promise.all(Array.from({ length: COUNT }, (_, n) => make(n)));

/** What each list is asked, what it holds, and where its cursors come and go. */
function lists({ ann, prefix, group, board, cup, second }) {
  const mine = ann.session.user_id;
  const records = { items: (page) => page.records.map((one) => one.owner_id), next: "next_cursor" };
  return {
    ListFriends: { ask: {}, items: (page) => page.friends.map((one) => one.user.id) },
    ListFriendsOfFriends: { ask: {}, items: (page) => page.friends_of_friends.map((one) => one.user.id) },
    ListGroups: { ask: { name: `${prefix}%` }, items: (page) => page.groups.map((one) => one.id), refusal: INTERNAL },
    ListGroupUsers: { ask: { group_id: group }, items: (page) => page.group_users.map((one) => one.user.id) },
    ListUserGroups: { ask: { user_id: mine }, items: (page) => page.user_groups.map((one) => one.group.id) },
    ListStorageObjects: { ask: { collection: "saves", user_id: mine }, items: (page) => page.objects.map((one) => one.key) },
    ListLeaderboardRecords: { ask: { leaderboard_id: board }, ...records },
    ListTournamentRecords: { ask: { tournament_id: cup }, ...records },
    ListLeaderboardRecordsAroundOwner: { ask: { leaderboard_id: board, owner_id: second[0] }, around: true, ...records },
    ListTournamentRecordsAroundOwner: { ask: { tournament_id: cup, owner_id: second[1] }, around: true, ...records },
    ListTournaments: { ask: { category_start: { value: 90 }, category_end: { value: 99 } }, items: (page) => page.tournaments.map((one) => one.id) },
    ListNotifications: {
      ask: {},
      items: (page) => page.notifications.map((one) => one.id),
      next: "cacheable_cursor",
      field: "cacheable_cursor",
      endless: true,
      refusal: INTERNAL,
    },
  };
}

/** A world in which each list holds `COUNT` things, or one more. */
async function fill(context, calls) {
  const prefix = `g${randomUUID().slice(0, 8)}`;
  const [board, cup] = [randomUUID(), randomUUID()];
  const ann = await signIn(context.server);
  const friends = await times(() => signIn(context.server));
  const others = await times(() => signIn(context.server));
  const befriend = async (one, two) => {
    for (const [by, whom] of [[one, two], [two, one]]) await calls.ok(by, "AddFriends", { ids: [whom.session.user_id] });
  };
  await times((n) => befriend(ann, friends[n]));
  await times((n) => befriend(friends[n], others[n]));
  const groups = await times((n) => calls.ok(ann, "CreateGroup", { name: `${prefix} ${n}`, open: true }));
  await times((n) => calls.ok(others[n], "JoinGroup", { group_id: groups[0].id }));
  await times((n) => calls.ok(ann, "WriteStorageObjects", { objects: [{ collection: "saves", key: `k${n}`, value: "{}" }] }));
  const now = Math.floor(Date.now() / 1000);
  const running = { duration: 3600, title: "Cup" };
  await insertBoard(context, { id: board, sort_order: 1 });
  await insertBoard(context, { id: cup, ...running, start_time: new Time(now - 90) });
  await times(async (n) => {
    const id = randomUUID();
    await insertBoard(context, { id, ...running, category: 90 + n, start_time: new Time(now - n) });
    // What was not created through the server is found when somebody names it.
    await calls.ok(ann, "ListTournamentRecords", { tournament_id: id });
  });
  await times((n) => calls.ok(others[n], "WriteLeaderboardRecord", { leaderboard_id: board, record: { score: String(n % 2) } }));
  await times((n) => calls.ok(others[n], "WriteTournamentRecord", { tournament_id: cup, record: { score: String(n % 2) } }));
  const records = [await calls.ok(ann, "ListLeaderboardRecords", { leaderboard_id: board, ...limit(100) })];
  records.push(await calls.ok(ann, "ListTournamentRecords", { tournament_id: cup, ...limit(100) }));
  const second = records.map((page) => page.records[1].owner_id);
  return { ann, prefix, board, cup, second, group: groups[0].id };
}

onBothStores("cursors", (context) => {
  let calls;
  let world;
  let all;

  const restart = async (shards) => {
    calls.close();
    await context.server.kill();
    context.server.flags.shards = shards;
    await context.server.up();
    calls = new Calls(context.server);
  };

  const page = (rpc, list, cursor, most = 2) => {
    const asked = cursor === undefined ? {} : { [list.field ?? "cursor"]: cursor };
    return calls.grpc(world.ann, rpc, { ...list.ask, ...limit(most), ...asked });
  };

  before(async () => {
    calls = new Calls(context.server);
    world = await fill(context, calls);
    all = lists(world);
  });

  after(() => calls.close());

  test("stay good when the server restarts with other shards", async () => {
    const whole = {};
    const seen = {};
    const cursors = {};
    for (const [rpc, list] of Object.entries(all)) {
      const { code, reply, message } = await page(rpc, list, undefined, 100);
      assert.equal(code, 0, `${rpc}: ${message}`);
      whole[rpc] = list.items(reply);
      assert.ok(whole[rpc].length >= COUNT, `${rpc}: ${whole[rpc]}`);
      assert.equal(new Set(whole[rpc]).size, whole[rpc].length, rpc);
      seen[rpc] = [];
    }
    for (const shards of [2, 1, 3, 2]) {
      if (shards !== context.server.flags.shards) await restart(shards);
      for (const [rpc, list] of Object.entries(all)) {
        if (cursors[rpc] === "") continue;
        const { code, reply, message } = await page(rpc, list, cursors[rpc]);
        assert.equal(code, 0, `${rpc}: ${message}`);
        const items = list.items(reply);
        seen[rpc].push(...items);
        cursors[rpc] = list.endless && items.length === 0 ? "" : reply[list.next ?? "cursor"];
      }
    }
    for (const [rpc, list] of Object.entries(all)) {
      // A page around an owner begins where the owner is, not at the top.
      const expected = list.around ? whole[rpc].slice(whole[rpc].indexOf(seen[rpc][0])) : whole[rpc];
      assert.deepEqual(seen[rpc], expected, rpc);
      assert.equal(cursors[rpc], "", `${rpc} has an end`);
    }
  });

  test("are refused when changed, cut, or of another list", async () => {
    const given = {};
    for (const [rpc, list] of Object.entries(all)) {
      given[rpc] = (await page(rpc, list)).reply[list.next ?? "cursor"];
      assert.ok(given[rpc], rpc);
    }
    for (const [rpc, list] of Object.entries(all)) {
      const cursor = given[rpc];
      const flipped = (at) => cursor.slice(0, at) + (cursor[at] === "A" ? "B" : "A") + cursor.slice(at + 1);
      const forged = [0, 3, 7, Math.floor(cursor.length / 2), cursor.length - 2].map(flipped);
      forged.push(cursor.slice(0, -4), `${cursor}AAAA`, cursor.repeat(200), "=", "%", "\u0000", "欠片");
      const strangers = Object.entries(given).filter(([other]) => !(rpc.includes("Records") && other.includes("Records")) && other !== rpc);
      forged.push(...strangers.map(([, theirs]) => theirs));
      for (const wrong of forged) {
        const { code } = await page(rpc, list, wrong);
        assert.equal(code, list.refusal ?? INVALID, `${rpc}: ${wrong.slice(0, 200)}`);
      }
    }
    const otherBoard = { tournament_id: world.cup, cursor: given.ListLeaderboardRecords, ...limit(2) };
    assert.equal((await calls.grpc(world.ann, "ListTournamentRecords", otherBoard)).code, INVALID);
    const otherState = { state: { value: 2 }, cursor: given.ListFriends, ...limit(2) };
    assert.equal((await calls.grpc(world.ann, "ListFriends", otherState)).code, INVALID);
  });

  test("show a stranger nothing that is not theirs to see", async () => {
    const stranger = await signIn(context.server);
    const own = ["ListFriends", "ListFriendsOfFriends", "ListNotifications", "ListStorageObjects"];
    for (const rpc of own) {
      const list = all[rpc];
      const cursor = (await page(rpc, list)).reply[list.next ?? "cursor"];
      const asked = { ...list.ask, ...limit(100), [list.field ?? "cursor"]: cursor };
      const { code, reply } = await calls.grpc(stranger, rpc, asked);
      assert.equal(code, 0, rpc);
      assert.deepEqual(list.items(reply), [], rpc);
    }
  });
});
