// What is wrong with a request is said in the same words and with the same code over gRPC and HTTP.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { Time, insertBoard } from "./support/boards.mjs";
import { Calls, STATUS, fitsHttp } from "./support/calls.mjs";
import { signIn } from "./support/clients.mjs";
import { onBothStores } from "./support/stores.mjs";

const [INVALID, NOT_FOUND, EXISTS, DENIED, PRECONDITION, INTERNAL, UNAUTHENTICATED] = [3, 5, 6, 7, 9, 13, 16];
const NIL = "00000000-0000-0000-0000-000000000000";
const now = () => Math.floor(Date.now() / 1000);
const limit = (value) => ({ limit: { value } });
const state = (value) => ({ state: { value } });
const to = (most) => `Invalid limit - limit must be between 1 and ${most}.`;

/** Limits that are out of bounds; some have no sign. */
const limits = (rpc, base, most, wrong = [0, most + 1]) => wrong.map((value) => [rpc, { ...base, ...limit(value) }, INVALID, to(most)]);

/** Refusals of lists: limits out of bounds, then a cursor that nobody gave out. */
function lists(rpc, base, most, badCursor = "Cursor is invalid.", code = INVALID, cursor = "cursor") {
  return [
    ...limits(rpc, base, most, [0, -1, most + 1]),
    ...["what", "AAAA", Buffer.from('{"a":1}').toString("base64")].map((forged) => [rpc, { ...base, [cursor]: forged }, code, badCursor]),
  ];
}

const friends = ({ ann }) => {
  const named = (rpc, oneself, unknown) => [
    [rpc, { ids: [randomUUID(), ann.session.user_id] }, INVALID, oneself],
    [rpc, { usernames: [ann.session.username] }, INVALID, oneself],
    [rpc, { ids: ["what"] }, INVALID, "Invalid user ID 'what'."],
    [rpc, { ids: [NIL] }, INVALID, `Invalid user ID '${NIL}'.`],
    [rpc, { usernames: ["somebody", ""] }, INVALID, "Username must not be empty."],
    ...(unknown ? [[rpc, { usernames: ["nobody at all"] }, INVALID, "No valid ID or username was provided."]] : []),
  ];
  return [
    ...named("AddFriends", "Cannot add self as friend.", true),
    ...named("BlockFriends", "Cannot block self.", true),
    ...named("DeleteFriends", "Cannot delete self.", false),
    ...lists("ListFriends", {}, 1000),
    ...lists("ListFriendsOfFriends", {}, 100),
    ...[-1, 4].map((value) => ["ListFriends", state(value), INVALID, "Invalid state - state must be between 0 and 3."]),
  ];
};

const groups = ({ ann, bob, group }) => {
  const calls = ["AddGroupUsers", "KickGroupUsers", "BanGroupUsers", "PromoteGroupUsers", "DemoteGroupUsers"];
  const everywhere = [...calls, "UpdateGroup", "DeleteGroup", "JoinGroup", "LeaveGroup", "ListGroupUsers"];
  const [group_id, user_ids] = [group.id, [bob.session.user_id]];
  const wrongState = "Invalid state - state must be between 0 and 4.";
  return [
    ...everywhere.flatMap((rpc) => [
      [rpc, { group_id: "", name: { value: "x" } }, INVALID, "Group ID must be set.", "only gRPC"],
      [rpc, rpc === "UpdateGroup" ? { group_id: "what", name: { value: "x" } } : { group_id: "what" }, INVALID, "Group ID must be a valid ID."],
    ]),
    ...calls.flatMap((rpc) => [
      [rpc, { group_id, user_ids: ["what"] }, INVALID, "User ID must be a valid ID."],
      [rpc, { group_id, user_ids: [NIL] }, INVALID, "User ID must be a valid ID."],
      [rpc, { group_id, user_ids }, NOT_FOUND, "Group not found or permission denied."],
      [rpc, { group_id: randomUUID(), user_ids }, NOT_FOUND, "Group not found or permission denied."],
    ]),
    ["DemoteGroupUsers", { group_id }, INVALID, "User IDs must be set."],
    ["CreateGroup", { name: "" }, INVALID, "Group name must be set."],
    ["CreateGroup", { name: "x", max_count: -1 }, INVALID, "Group max count must be >= 1 when set."],
    ["CreateGroup", { name: group.name }, EXISTS, "Group name is in use."],
    ["UpdateGroup", { group_id, name: { value: "" } }, INVALID, "Group name cannot be empty."],
    ["UpdateGroup", { group_id, lang_tag: { value: "" } }, INVALID, "Group language cannot be empty."],
    ["UpdateGroup", { group_id, open: { value: true } }, NOT_FOUND, "Group not found or you're not allowed to update."],
    ["DeleteGroup", { group_id }, INVALID, "Group not found or you're not allowed to delete."],
    ["JoinGroup", { group_id: randomUUID() }, NOT_FOUND, "Group not found."],
    ...lists("ListGroupUsers", { group_id }, 100),
    ...lists("ListUserGroups", { user_id: ann.session.user_id }, 100),
    ...lists("ListGroups", {}, 100, "Error while trying to list groups.", INTERNAL),
    ...[-1, 5].flatMap((value) => [
      ["ListGroupUsers", { group_id, ...state(value) }, INVALID, wrongState],
      ["ListUserGroups", { user_id: ann.session.user_id, ...state(value) }, INVALID, wrongState],
    ]),
    ["ListUserGroups", { user_id: "" }, INVALID, "User ID must be set.", "only gRPC"],
    ["ListUserGroups", { user_id: "what" }, INVALID, "Group ID must be a valid ID."],
  ];
};

const storage = ({ ann, bob }) => {
  const named = "Invalid collection or key value supplied. They must be set.";
  const user = "Invalid user ID - make sure user ID is a valid UUID.";
  const [collection, key, value] = ["saves", "one", "{}"];
  const rejected = "Storage delete rejected - not found, version check failed, or permission denied.";
  const write = (object, why) => ["WriteStorageObjects", { objects: [{ collection, key: "good", value }, object] }, INVALID, why];
  const read = (id, why) => ["ReadStorageObjects", { object_ids: [id] }, INVALID, why];
  return [
    write({ key, value }, named),
    write({ collection, value }, named),
    write({ collection, key }, named),
    ...["[]", "7", "{", '"{}"', "null", "{}{}"].map((wrong) => write({ collection, key, value: wrong }, "Value must be a JSON object.")),
    ...[-1, 3].map((wrong) =>
      write({ collection, key, value, permission_read: { value: wrong } }, "Invalid Read permission supplied. It must be either 0, 1 or 2."),
    ),
    ...[-1, 2].map((wrong) =>
      write({ collection, key, value, permission_write: { value: wrong } }, "Invalid Write permission supplied. It must be either 0 or 1."),
    ),
    write({ collection, key, value, version: "stale" }, "Storage write rejected - version check failed."),
    write({ collection: "held", key, value }, "Storage write rejected - permission denied."),
    read({ key }, named),
    read({ collection }, named),
    read({ collection, key, user_id: "what" }, user),
    read({ collection, key, user_id: NIL }, user),
    ["DeleteStorageObjects", { object_ids: [{ key }] }, INVALID, named],
    ["DeleteStorageObjects", { object_ids: [{ collection }] }, INVALID, named],
    ["DeleteStorageObjects", { object_ids: [{ collection, key: "none" }] }, INVALID, rejected],
    ["DeleteStorageObjects", { object_ids: [{ collection: "held", key }] }, INVALID, rejected],
    ...lists("ListStorageObjects", { collection, user_id: ann.session.user_id }, 100, "Malformed cursor was used."),
    ["ListStorageObjects", { collection, user_id: "what" }, INVALID, user],
  ];
};

const boards = ({ ann, open, scripts }) => {
  const owner_id = ann.session.user_id;
  const gone = "Leaderboard not found.";
  const record = { score: "1" };
  const metadata = (text) => ({ score: "1", metadata: text });
  return [
    ...["DeleteLeaderboardRecord", "ListLeaderboardRecords", "WriteLeaderboardRecord"].map((rpc) => [rpc, { leaderboard_id: "", record }, INVALID, "Invalid leaderboard ID.", "only gRPC"]),
    ["ListLeaderboardRecordsAroundOwner", { leaderboard_id: "", owner_id }, INVALID, "Invalid leaderboard ID.", "only gRPC"],
    ["ListLeaderboardRecordsAroundOwner", { leaderboard_id: open }, INVALID, "Owner ID must be provided for a haystack query.", "only gRPC"],
    ["ListLeaderboardRecordsAroundOwner", { leaderboard_id: open, owner_id: "what" }, INVALID, "Invalid owner ID provided."],
    ["ListLeaderboardRecordsAroundOwner", { leaderboard_id: "none", owner_id }, NOT_FOUND, gone],
    ...limits("ListLeaderboardRecordsAroundOwner", { leaderboard_id: open, owner_id }, 100),
    ["WriteLeaderboardRecord", { leaderboard_id: open }, INVALID, "Invalid input, record score value is required.", "only gRPC"],
    ...["what", "7", "[]"].map((text) => ["WriteLeaderboardRecord", { leaderboard_id: open, record: metadata(text) }, INVALID, "Metadata value must be JSON, if provided."]),
    ["WriteLeaderboardRecord", { leaderboard_id: "none", record }, NOT_FOUND, gone],
    ["WriteLeaderboardRecord", { leaderboard_id: scripts, record }, DENIED, "Leaderboard only allows authoritative score submissions."],
    ["DeleteLeaderboardRecord", { leaderboard_id: "none" }, NOT_FOUND, gone],
    ["DeleteLeaderboardRecord", { leaderboard_id: scripts }, DENIED, "Leaderboard only allows authoritative score deletions."],
    ["ListLeaderboardRecords", { leaderboard_id: "none" }, NOT_FOUND, gone],
    ["ListLeaderboardRecords", { leaderboard_id: open, owner_ids: ["what"] }, INVALID, "One or more owner IDs are invalid."],
    ...lists("ListLeaderboardRecords", { leaderboard_id: open }, 1000, "Cursor is invalid or expired."),
  ];
};

const tournaments = ({ ann, cup, held, soon, over }) => {
  const owner_id = ann.session.user_id;
  const gone = "Tournament not found.";
  const record = { score: "1" };
  const write = (tournament_id, code, why, more = record) => ["WriteTournamentRecord", { tournament_id, record: more }, code, why];
  return [
    ["DeleteTournamentRecord", { tournament_id: "" }, INVALID, "Invalid tournament ID.", "only gRPC"],
    ["ListTournamentRecords", { tournament_id: "" }, INVALID, "Tournament ID must be provided", "only gRPC"],
    ["WriteTournamentRecord", { tournament_id: "", record }, INVALID, "Tournament ID must be provided.", "only gRPC"],
    ["WriteTournamentRecord", { tournament_id: cup }, INVALID, "Invalid input, record score value is required.", "only gRPC"],
    ["ListTournamentRecordsAroundOwner", { tournament_id: "", owner_id }, INVALID, "Invalid tournament ID.", "only gRPC"],
    ["ListTournamentRecordsAroundOwner", { tournament_id: cup }, INVALID, "Owner ID must be provided for a haystack query.", "only gRPC"],
    ["ListTournamentRecordsAroundOwner", { tournament_id: cup, owner_id: "what" }, INVALID, "Invalid owner ID provided."],
    ["ListTournamentRecordsAroundOwner", { tournament_id: "none", owner_id }, NOT_FOUND, gone],
    ...limits("ListTournamentRecordsAroundOwner", { tournament_id: cup, owner_id }, 100),
    write("none", NOT_FOUND, gone),
    write(over, NOT_FOUND, "Tournament not found or has ended."),
    write(soon, PRECONDITION, "Tournament is not active and cannot accept new scores."),
    write(held, PRECONDITION, "Must join tournament before attempting to write value."),
    write(cup, INVALID, "Metadata value must be JSON, if provided.", { score: "1", metadata: "what" }),
    ["JoinTournament", { tournament_id: "none" }, NOT_FOUND, gone],
    ["DeleteTournamentRecord", { tournament_id: "none" }, NOT_FOUND, gone],
    ["ListTournamentRecords", { tournament_id: "none" }, NOT_FOUND, gone],
    ["ListTournamentRecords", { tournament_id: over }, NOT_FOUND, "Tournament has ended."],
    ["ListTournamentRecords", { tournament_id: cup, owner_ids: ["what"] }, INVALID, "One or more owner IDs are invalid."],
    ...lists("ListTournamentRecords", { tournament_id: cup }, 100, "Cursor is invalid or expired."),
    ...[0, 101].map((value) => ["ListTournaments", limit(value), INVALID, "Limit must be between 1 and 100."]),
    ["ListTournaments", { category_end: { value: 128 } }, INVALID, "Tournament category end must be >=0 and <128."],
    ["ListTournaments", { category_start: { value: 5 }, category_end: { value: 4 } }, INVALID, "Tournament category end must be greater than category start."],
    ["ListTournaments", { start_time: { value: 9 }, end_time: { value: 8 } }, INVALID, "Tournament end time must be greater than start time."],
    ["ListTournaments", { cursor: "what" }, INVALID, "Cursor is invalid or expired."],
  ];
};

const accounts = ({ ann, bob }) => {
  const last = "Cannot unlink last account identifier. Check profile exists and is not last link.";
  return [
    ["UpdateAccount", { username: { value: "" } }, INVALID, "Username invalid, must be 1-128 bytes."],
    ["UpdateAccount", { username: { value: "x".repeat(129) } }, INVALID, "Username invalid, must be 1-128 bytes."],
    ["UpdateAccount", { username: { value: "tab\there" } }, INVALID, "Username invalid, no spaces or control characters allowed."],
    ["UpdateAccount", { username: { value: bob.session.username } }, INVALID, "Username is already in use."],
    ["UnlinkDevice", { id: "" }, INVALID, "A device ID must be supplied."],
    ["UnlinkDevice", { id: ann.device }, DENIED, last],
    ["UnlinkDevice", { id: bob.device }, DENIED, last],
    ["UnlinkCustom", { id: "not-hers-at-all" }, DENIED, last],
    ["UnlinkEmail", { email: "not@hers.example" }, DENIED, last],
    ["LinkDevice", { id: "" }, INVALID, "Device ID is required."],
    ["LinkDevice", { id: "a space in here" }, INVALID, "Device ID invalid, no spaces or control characters allowed."],
    ["LinkDevice", { id: "short" }, INVALID, "Device ID invalid, must be 10-128 bytes."],
    ["LinkDevice", { id: bob.device }, EXISTS, "Device ID already in use."],
    ["LinkCustom", { id: "" }, INVALID, "Custom ID is required."],
    ["LinkCustom", { id: "a space" }, INVALID, "Invalid custom ID, no spaces or control characters allowed."],
    ["LinkCustom", { id: "short" }, INVALID, "Invalid custom ID, must be 6-128 bytes."],
    ["LinkEmail", { email: "", password: "" }, INVALID, "Email address and password is required."],
    ["LinkEmail", { email: "a@b.example.org", password: "short" }, INVALID, "Password must be at least 8 characters long."],
    ["LinkEmail", { email: "nothing at all", password: "long enough" }, INVALID, "Invalid email address, no spaces or control characters allowed."],
    ["LinkEmail", { email: "nothing.at.all", password: "long enough" }, INVALID, "Invalid email address format."],
    ["LinkEmail", { email: "nothing.at.all", password: "short" }, INVALID, "Password must be at least 8 characters long."],
    ["LinkEmail", { email: "a@b.c", password: "long enough" }, INVALID, "Invalid email address, must be 10-255 bytes."],
    ["GetUsers", { ids: ["what"] }, INVALID, "ID 'what' is not a valid system ID."],
  ];
};

const notifications = () => lists("ListNotifications", {}, 100, "Error retrieving notifications.", INTERNAL, "cacheable_cursor");

onBothStores("refusals", (context) => {
  let calls;
  const world = {};

  before(async () => {
    calls = new Calls(context.server);
    for (const who of ["ann", "bob"]) world[who] = await signIn(context.server, `${who}-${randomUUID().slice(0, 8)}`);
    const { ann, bob } = world;
    world.group = await calls.ok(bob, "CreateGroup", { name: `group-${randomUUID()}` });
    await calls.ok(ann, "WriteStorageObjects", { objects: [{ collection: "held", key: "one", value: "{}", permission_write: { value: 0 } }] });
    for (const id of ["open", "scripts"]) {
      world[id] = `${id}-${randomUUID()}`;
      await insertBoard(context, { id: world[id], authoritative: id === "scripts" });
    }
    for (const [id, columns] of Object.entries({
      cup: { start_time: new Time(now() - 5) },
      held: { start_time: new Time(now() - 5), join_required: true },
      soon: { start_time: new Time(now() + 900) },
      over: { start_time: new Time(now() - 900), end_time: new Time(now() - 10) },
    })) {
      world[id] = `${id}-${randomUUID()}`;
      await insertBoard(context, { id: world[id], duration: 3600, title: "Cup", ...columns });
    }
  });

  after(() => calls.close());

  for (const [kind, rows] of Object.entries({ friends, groups, storage, boards, tournaments, accounts, notifications })) {
    test(`of ${kind} are the same over gRPC and HTTP`, async () => {
      for (const [rpc, request, code, message, where] of rows(world)) {
        const what = `${rpc} ${JSON.stringify(request)}`;
        assert.deepEqual(await calls.grpc(world.ann, rpc, request), { code, message }, what);
        if (where || !fitsHttp(rpc, request)) continue;
        assert.deepEqual(await calls.http(world.ann, rpc, request), { status: STATUS[code], code, message }, `HTTP: ${what}`);
      }
    });

    test(`of ${kind} come after the question who asks`, async () => {
      for (const rpc of new Set(rows(world).map(([rpc]) => rpc))) {
        const refusal = { code: UNAUTHENTICATED, message: "Auth token required" };
        assert.deepEqual(await calls.grpc(undefined, rpc), refusal, rpc);
      }
    });
  }
});
