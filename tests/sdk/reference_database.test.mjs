// A database that another server of the protocol filled is served as it is, and what is written to it has
// the shape in which that server would have written it.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { Calls } from "./support/calls.mjs";
import { client, connect } from "./support/clients.mjs";
import { Postgres } from "./support/postgres.mjs";
import { ANN, BOB, CAT, CIRCLE, DAN, EVE, NIL, PASSWORD, READERS, SENT, nextMidnight, nextMonday, rows } from "./support/reference_rows.mjs";
import { Server, binary } from "./support/server.mjs";

const [ROOM, DIRECT, GROUP] = [1, 2, 3];
const EPOCH = "1970-01-01 00:00:00+00";
const md5 = (text) => createHash("md5").update(text).digest("hex");
const parsed = (content) => (typeof content === "string" ? JSON.parse(content) : content);
const said = (list) => list.messages.map((message) => [message.code ?? 0, parsed(message.content).say]);
const numbers = (records) => (records ?? []).map((record) => [record.owner_id, Number(record.score ?? 0), Number(record.rank)]);

describe("a database that the reference filled", () => {
  let postgres;
  let server;
  let calls;
  let ann;
  let bob;
  let cat;

  const sql = (statement) => postgres.sql("kakera", `SET TIME ZONE 'UTC'; ${statement}`).then((text) => text.replace(/^SET\n?/, ""));
  const row = async (statement) => JSON.parse(await sql(`SELECT row_to_json(r) FROM (${statement}) r`));

  /** A digest of every table, without what this server keeps for its own schedules. */
  const digests = async () => {
    const tables = (await sql("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1")).split("\n");
    const of = async (table) => {
      const own = table === "storage" ? "WHERE collection NOT LIKE 'kakera.%'" : "";
      return [table, await sql(`SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM "${table}" t ${own}`)];
    };
    return Object.fromEntries(await Promise.all(tables.map(of)));
  };
  let filled;

  before(async () => {
    // The periods of the rows are those of today.
    const left = nextMidnight() * 1000 - Date.now();
    if (left < 120_000) await new Promise((done) => setTimeout(done, left + 100));
    postgres = await Postgres.start();
    const database = await postgres.createDatabase("kakera");
    execFileSync(binary, ["migrate", "up", "--database.address", database], { stdio: "pipe" });
    await postgres.sql("kakera", rows());
    filled = await digests();
    server = await Server.start({ shards: 2, database });
    calls = new Calls(server);
  });

  after(async () => {
    calls?.close();
    await server?.stop();
    await postgres?.stop();
  });

  const as = async (session) => ({ client: client(server), session: await session });

  test("lets its users in by whatever they had", async () => {
    const api = client(server);
    ann = await as(api.authenticateEmail("ann@example.com", PASSWORD, false));
    bob = await as(api.authenticateDevice("device-of-bob-2", false));
    cat = await as(api.authenticateCustom("custom-of-cat", false));
    assert.deepEqual([ann, bob, cat].map((user) => user.session.user_id), [ANN, BOB, CAT]);
    assert.equal(ann.session.created, false);
    assert.equal((await api.authenticateDevice("device-of-bob-1", false)).user_id, BOB);
    const status = (promise) => promise.then(() => 200, (error) => error.status);
    assert.equal(await status(api.authenticateEmail("ann@example.com", "wrong horse", false)), 401);
    assert.equal(await status(api.authenticateDevice("device-of-dan-1", false)), 403, "banned");
  });

  test("shows accounts and users with all they have", async () => {
    const account = await ann.client.getAccount(ann.session);
    assert.equal(account.email, "ann@example.com");
    assert.deepEqual(JSON.parse(account.wallet), { gold: 70, gems: 5 });
    assert.equal(account.verify_time, "2024-05-02T10:00:00Z");
    const { user } = account;
    assert.equal(user.username, "Ann Ünï");
    assert.deepEqual(parsed(user.metadata), { vip: true, level: 3 });
    assert.deepEqual(
      [user.display_name, user.avatar_url, user.lang_tag, user.location, user.timezone, user.facebook_id, user.google_id],
      ["Ann", "https://example.com/a.png", "de", "Köln", "Europe/Berlin", "fb-ann", "google-ann"],
    );
    assert.deepEqual([user.edge_count, user.create_time], [4, "2024-05-01T10:00:00Z"]);
    const devices = (await bob.client.getAccount(bob.session)).devices.map((device) => device.id);
    assert.deepEqual(devices.sort(), ["device-of-bob-1", "device-of-bob-2"]);
    // The SDK leaves out some ids of an account, and what a friend was noted with.
    const { users } = (await calls.http(ann, "GetUsers", { ids: [DAN, EVE], usernames: ["cat"] })).reply;
    assert.deepEqual(users.map((one) => one.username).sort(), ["cat", "dan"]);
    const dan = users.find((one) => one.id === DAN);
    assert.deepEqual([dan.steam_id, dan.gamecenter_id, dan.apple_id, dan.facebook_instant_game_id], ["steam-dan", "gc-dan", "apple-dan", "fbig-dan"]);
  });

  test("lists friends and groups", async () => {
    const { friends } = (await calls.http(ann, "ListFriends")).reply;
    assert.deepEqual(friends.map((friend) => [friend.user.id, friend.state]), [[BOB, 0], [CAT, 1], [DAN, 3]]);
    assert.deepEqual(parsed(friends[0].metadata), { met: "here" });
    assert.equal(friends[0].update_time, "2024-05-03T10:00:00Z");
    const [readers] = (await cat.client.listGroups(cat.session, "readers%", undefined, 10)).groups;
    assert.deepEqual(parsed(readers.metadata), { motto: "read" });
    assert.deepEqual([readers.id, readers.creator_id, readers.edge_count, readers.max_count, readers.open], [READERS, ANN, 3, 100, true]);
    const members = async (group, ...filter) =>
      ((await cat.client.listGroupUsers(cat.session, group, ...filter)).group_users ?? []).map((one) => [one.user.id, one.state]);
    assert.deepEqual(await members(READERS), [[ANN, 0], [BOB, 1], [CAT, 2]]);
    assert.deepEqual(await members(READERS, 4), [[DAN, 4]]);
    assert.deepEqual(await members(CIRCLE), [[BOB, 0], [ANN, 3]]);
    const mine = (await ann.client.listUserGroups(ann.session, ANN)).user_groups;
    assert.deepEqual(mine.map((one) => [one.group.name, one.state]), [["Readers", 0], ["Closed circle", 3]]);
  });

  test("reads objects with the permissions and versions that they have", async () => {
    const read = async (user, ...named) => {
      const object_ids = named.map(([collection, key, user_id]) => ({ collection, key, user_id }));
      return (await user.client.readStorageObjects(user.session, { object_ids })).objects;
    };
    const all = [["saves", "one", ANN], ["saves", "hidden", ANN], ["saves", "shown", ANN], ["config", "motd", undefined]];
    const [one, shown, motd] = await read(ann, ...all);
    assert.deepEqual([one.value, one.version], [JSON.parse(SENT.save), md5(SENT.save)]);
    assert.deepEqual([shown.key, shown.permission_read, shown.permission_write ?? 0], ["shown", 2, 0]);
    assert.deepEqual(motd.value, JSON.parse(SENT.motd));
    assert.deepEqual((await read(bob, ...all)).map((object) => object.key), ["shown", "motd"]);
    const listed = await bob.client.listStorageObjects(bob.session, "saves", ANN, 100);
    assert.deepEqual(listed.objects.map((object) => object.key), ["shown"]);
  });

  test("lists what was said and who was told", async () => {
    const list = async (user, channel) => said(await user.client.listChannelMessages(user.session, channel, 100, true));
    assert.deepEqual(await list(cat, "2...lobby"), [[0, "one"], [0, "two"]]);
    assert.deepEqual(await list(cat, `3.${READERS}..`), [[3, undefined], [0, "group"]]);
    assert.deepEqual(await list(ann, `4.${ANN}.${BOB}.`), [[0, "direct"]]);
    const { notifications } = await ann.client.listNotifications(ann.session, 100);
    assert.deepEqual(notifications.map((one) => [one.code, one.sender_id ?? "", one.subject]), [
      [-3, BOB, "bob accepted your friend request"],
      [101, "", "A gift"],
    ]);
    assert.deepEqual(parsed(notifications[1].content), { gold: 1 });
  });

  test("ranks the records of this period and keeps those of the last", async () => {
    const page = await ann.client.listLeaderboardRecords(ann.session, "weekly", [ANN], 10);
    assert.deepEqual(numbers(page.records), [[CAT, 90, 1], [BOB, 50, 2], [ANN, 50, 3]]);
    const [mine] = page.owner_records;
    assert.deepEqual([Number(mine.rank), mine.num_score, mine.metadata], [3, 4, { map: "sea" }]);
    assert.equal(Date.parse(mine.expiry_time) / 1000, nextMonday());
    const last = await ann.client.listLeaderboardRecords(ann.session, "weekly", [], 10, undefined, String(nextMonday() - 7 * 86_400));
    assert.deepEqual(numbers(last.records), [[BOB, 7, 1]]);
    assert.deepEqual(numbers((await ann.client.listLeaderboardRecords(ann.session, "forever", [], 10)).records), [[BOB, 2, 1], [ANN, 3, 2]]);
    const { tournaments } = await ann.client.listTournaments(ann.session, 0, 127);
    const [cup] = tournaments;
    assert.deepEqual(tournaments.map((one) => one.id), ["daily cup"]);
    assert.deepEqual([cup.title, cup.size, cup.max_size, cup.max_num_score, cup.category, cup.can_enter], ["The Cup", 2, 3, 5, 3, true]);
    assert.deepEqual(parsed(cup.metadata), { prize: "cake" });
    assert.equal(Number(cup.next_reset), nextMidnight());
    const records = await ann.client.listTournamentRecords(ann.session, "daily cup", [], 10);
    assert.deepEqual(numbers(records.records), [[BOB, 12, 1], [ANN, 0, 2]]);
  });

  test("shows an operator the ledger, the tombstones and the whole of an account", async () => {
    const base = `http://127.0.0.1:${server.consolePort}/v2/console`;
    const ask = async (where, token, body) => {
      const headers = { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) };
      const response = await fetch(`${base}/${where}`, { method: body ? "POST" : "GET", headers, body });
      assert.equal(response.status, 200, `${where}: ${await response.clone().text()}`);
      return response.json();
    };
    const { token } = await ask("authenticate", undefined, JSON.stringify({ username: "admin", password: "password" }));
    const { items } = await ask(`account/${ANN}/wallet?limit=10`, token);
    assert.deepEqual(items.map((item) => JSON.parse(item.changeset)), [{ gold: -30 }, { gold: 100, gems: 5 }]);
    const { users } = await ask(`account?tombstones=true&filter=${EVE}`, token);
    assert.deepEqual(users.map((user) => user.id), [EVE]);
    const whole = await ask(`account/${ANN}/export`, token);
    assert.deepEqual(
      [whole.objects.length, whole.friends.length, whole.groups.length, whole.messages.length, whole.leaderboard_records.length, whole.notifications.length, whole.wallet_ledgers.length],
      [3, 3, 2, 1, 3, 2, 2],
    );
  });

  test("is the same after all that was read", async () => {
    assert.deepEqual(await digests(), filled);
  });

  test("goes on with accounts and friends as it was", async () => {
    const made = await client(server).authenticateDevice("a-new-device-of-gil", true, "gil");
    const gil = { client: client(server), session: made };
    assert.deepEqual(await row(`SELECT * FROM users WHERE username = 'gil'`).then(({ create_time, update_time, ...rest }) => rest), {
      id: made.user_id, username: "gil", display_name: null, avatar_url: null, lang_tag: "en", location: null, timezone: null, metadata: {},
      wallet: {}, email: null, password: null, facebook_id: null, google_id: null, gamecenter_id: null, steam_id: null, custom_id: null,
      edge_count: 0, verify_time: "1970-01-01T00:00:00+00:00", disable_time: "1970-01-01T00:00:00+00:00", facebook_instant_game_id: null, apple_id: null,
    });
    assert.deepEqual(await row(`SELECT * FROM user_device WHERE id = 'a-new-device-of-gil'`), {
      id: "a-new-device-of-gil", user_id: made.user_id, preferences: {}, push_token_amazon: "", push_token_android: "",
      push_token_huawei: "", push_token_ios: "", push_token_web: "",
    });
    await gil.client.linkEmail(gil.session, { email: "Gil@Example.com", password: "long enough" });
    assert.match(await sql("SELECT email || ' ' || convert_from(password, 'UTF8') FROM users WHERE username = 'gil'"), /^gil@example\.com \$2a\$13\$.{53}$/);

    const edges = async (one, two) => {
      const found = await sql(`SELECT source_id, state, metadata FROM user_edge WHERE source_id IN ('${one}', '${two}') AND destination_id IN ('${one}', '${two}') ORDER BY source_id = '${two}'`);
      return found.split("\n").map((line) => line.split("|").slice(1).join(" "));
    };
    await gil.client.addFriends(gil.session, [BOB], []);
    assert.deepEqual(await edges(made.user_id, BOB), ["1 {}", "2 {}"]);
    const positions = `SELECT min(position) = max(position) AND min(position) > 1700000000000000000 FROM user_edge WHERE '${made.user_id}' IN (source_id, destination_id)`;
    assert.equal(await sql(positions), "t", "nanoseconds, the same on both sides");
    await cat.client.addFriends(cat.session, [ANN], []);
    assert.deepEqual(await edges(ANN, CAT), ["0 {}", "0 {}"]);
    await bob.client.blockFriends(bob.session, [made.user_id], []);
    assert.deepEqual(await edges(BOB, made.user_id), ["3 {}"]);
    await ann.client.deleteFriends(ann.session, [DAN], []);
    assert.equal(await sql(`SELECT string_agg(username || edge_count, ' ' ORDER BY id) FROM users WHERE id IN ('${ANN}', '${BOB}', '${CAT}')`), "Ann Ünï3 bob2 cat1");
    const told = await row(`SELECT subject, content, code, sender_id FROM notification WHERE user_id = '${BOB}' AND code = -2`);
    assert.deepEqual(told, { subject: "gil wants to add you as a friend", content: { username: "gil" }, code: -2, sender_id: made.user_id });
  });

  test("goes on with groups and talk as it was", async () => {
    const group = await cat.client.createGroup(cat.session, { name: "New ones", open: false, description: "we are new", lang_tag: "fr" });
    const { create_time, update_time, ...kept } = await row(`SELECT * FROM groups WHERE id = '${group.id}'`);
    assert.deepEqual(kept, {
      id: group.id, creator_id: CAT, name: "New ones", description: "we are new", avatar_url: kept.avatar_url, lang_tag: "fr", metadata: {},
      state: 1, edge_count: 1, max_count: 100, disable_time: "1970-01-01T00:00:00+00:00",
    });
    assert.ok([null, ""].includes(kept.avatar_url));
    await bob.client.joinGroup(bob.session, group.id);
    const edges = () => sql(`SELECT string_agg(state::text, '' ORDER BY source_id = '${group.id}', position) FROM group_edge WHERE '${group.id}' IN (source_id, destination_id)`);
    assert.equal(await edges(), "0303");
    await cat.client.addGroupUsers(cat.session, group.id, [BOB]);
    assert.equal(await edges(), "0202");
    await cat.client.banGroupUsers(cat.session, group.id, [BOB]);
    assert.equal(await edges(), "004", "a ban stands on the group's side alone");
    assert.equal(await sql(`SELECT edge_count FROM groups WHERE id = '${group.id}'`), "1");
    await ann.client.kickGroupUsers(ann.session, READERS, [BOB]);
    assert.equal(await sql(`SELECT edge_count FROM groups WHERE id = '${READERS}'`), "2");

    const on = await connect(ann);
    const shapes = [];
    for (const [target, type] of [["lobby", ROOM], [BOB, DIRECT], [READERS, GROUP]]) {
      const channel = await on.socket.joinChat(target, type, true, false);
      const { message_id } = await on.socket.writeChatMessage(channel.id, { say: "new" });
      shapes.push(await row(`SELECT code, sender_id, username, stream_mode, stream_subject, stream_descriptor, stream_label, content, create_time = update_time AS fresh FROM message WHERE id = '${message_id}'`));
    }
    on.socket.disconnect(false);
    const shape = { code: 0, sender_id: ANN, username: "Ann Ünï", stream_descriptor: NIL, stream_label: "", content: { say: "new" }, fresh: true };
    assert.deepEqual(shapes, [
      { ...shape, stream_mode: 2, stream_subject: NIL, stream_label: "lobby" },
      { ...shape, stream_mode: 4, stream_subject: ANN, stream_descriptor: BOB },
      { ...shape, stream_mode: 3, stream_subject: READERS },
    ]);
    const history = await cat.client.listChannelMessages(cat.session, "2...lobby", 100, true);
    assert.deepEqual(said(history).map(([, say]) => say), ["one", "two", "new"]);
  });

  test("goes on with objects, scores and deletions as it was", async () => {
    const sent = { hp: 8, at: { y: 1, x: 2 } };
    const [ack] = (await ann.client.writeStorageObjects(ann.session, [{ collection: "saves", key: "one", value: sent, version: md5(SENT.save) }])).acks;
    const object = await row(`SELECT value, version, read, write, user_id, create_time < update_time AS kept FROM storage WHERE collection = 'saves' AND key = 'one'`);
    assert.deepEqual(object, { value: sent, version: md5(JSON.stringify(sent)), read: 1, write: 1, user_id: ANN, kept: true });
    assert.equal(ack.version, object.version);

    const better = await ann.client.writeLeaderboardRecord(ann.session, "weekly", { score: "95", metadata: { map: "hill" } });
    assert.deepEqual([Number(better.rank), better.num_score, Date.parse(better.expiry_time) / 1000], [1, 5, nextMonday()]);
    await bob.client.writeLeaderboardRecord(bob.session, "weekly", { score: "1" });
    const records = await sql(`SELECT username, score, subscore, num_score, max_num_score, metadata FROM leaderboard_record WHERE leaderboard_id = 'weekly' AND expiry_time > now() ORDER BY score DESC, subscore DESC`);
    assert.equal(records, 'Ann Ünï|95|1|5|1000000|{"map": "hill"}\n|90|0|2|1000000|{}\nbob|50|2|1|1000000|{}');
    await cat.client.joinTournament(cat.session, "daily cup");
    await cat.client.writeTournamentRecord(cat.session, "daily cup", { score: "30" });
    const cup = await sql(`SELECT username, score, subscore, num_score, max_num_score, metadata, expiry_time = to_timestamp(${nextMidnight()}) FROM leaderboard_record WHERE leaderboard_id = 'daily cup' AND owner_id = '${CAT}'`);
    assert.equal(cup, "cat|30|0|1|5|{}|t");
    assert.equal(await sql("SELECT size FROM leaderboard WHERE id = 'daily cup'"), "3");
    const gil = await client(server).authenticateDevice("a-new-device-of-gil", false);
    const full = await client(server).joinTournament(gil, "daily cup").catch((error) => error.json());
    assert.equal(full.message, "Tournament cannot be joined as it has reached its max size.");

    await client(server).deleteAccount(cat.session);
    for (const [table, column] of [["users", "id"], ["user_edge", "source_id"], ["user_edge", "destination_id"], ["group_edge", "destination_id"], ["leaderboard_record", "owner_id"]]) {
      assert.equal(await sql(`SELECT count(*) FROM ${table} WHERE ${column} = '${CAT}'`), "0", table);
    }
    assert.equal(await sql(`SELECT count(*) FROM users WHERE disable_time <> '${EPOCH}'`), "1");
  });
});
