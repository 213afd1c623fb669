// Leaderboards through the unmodified SDK, on servers of several shards.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";
import { insertBoard } from "./support/boards.mjs";
import { client, signIn } from "./support/clients.mjs";
import { onBothStores } from "./support/stores.mjs";

const ASCENDING = 0;
const DESCENDING = 1;
const SET = 1;
const INCREMENT = 2;
const DECREMENT = 3;

const name = () => `board-${randomUUID().slice(0, 13)}`;
const write = (user, id, score, more = {}) => user.client.writeLeaderboardRecord(user.session, id, { score: String(score), ...more });
const list = (user, id, ...rest) => user.client.listLeaderboardRecords(user.session, id, ...rest);
const around = (user, id, ...rest) => user.client.listLeaderboardRecordsAroundOwner(user.session, id, ...rest);
const ranks = (records) => (records ?? []).map((record) => Number(record.rank));
const scores = (records) => (records ?? []).map((record) => Number(record.score));

async function players(context, count) {
  return Promise.all(Array.from({ length: count }, () => signIn(context.server)));
}

async function refused(promise, status, message) {
  const error = await promise.then(() => assert.fail("it was not refused"), (error) => error);
  assert.equal(error.status, status);
  assert.equal((await error.json()).message, message);
}

onBothStores("leaderboards", (context) => {
  test("a score is written, listed, and its owner ranked", async () => {
    const id = name();
    await insertBoard(context, { id, sort_order: DESCENDING });
    const users = await players(context, 5);
    for (const [n, user] of users.entries()) {
      const record = await write(user, id, n * 10, { subscore: String(n), metadata: { n } });
      assert.deepEqual([record.leaderboard_id, record.owner_id], [id, user.session.user_id]);
      assert.deepEqual([Number(record.score ?? 0), Number(record.subscore ?? 0)], [n * 10, n]);
      assert.deepEqual([record.metadata, record.username], [{ n }, user.session.username]);
      assert.deepEqual([Number(record.rank), record.num_score], [1, 1], "each is better than all before");
    }
    const page = await list(users[0], id, [users[0].session.user_id, users[3].session.user_id], 2);
    assert.deepEqual([scores(page.records), ranks(page.records)], [[40, 30], [1, 2]]);
    assert.deepEqual(ranks(page.owner_records), [2, 5]);
    const rest = await list(users[0], id, [], 100, page.next_cursor);
    assert.deepEqual(ranks(rest.records), [3, 4, 5]);
    const back = await list(users[0], id, [], 100, rest.prev_cursor);
    assert.deepEqual(ranks(back.records), [1, 2]);
    const third = await around(users[0], id, users[2].session.user_id, 4);
    assert.deepEqual(ranks(third.records), [2, 3, 4, 5]);
    assert.ok(third.prev_cursor && !third.next_cursor);
    // The SDK has no call for it.
    const authorization = `Bearer ${users[4].session.token}`;
    const deleted = await fetch(`${context.server.url}/v2/leaderboard/${id}`, { method: "DELETE", headers: { authorization } });
    assert.equal(deleted.status, 200);
    assert.deepEqual(ranks((await around(users[0], id, users[3].session.user_id, 1)).records), [1]);
  });

  test("operators and orders do what they say", async () => {
    const [user] = await players(context, 1);
    for (const [columns, written, expected] of [
      [{ sort_order: DESCENDING, operator: 0 }, [5, 3, 9], [5, 5, 9]],
      [{ sort_order: ASCENDING, operator: 0 }, [5, 3, 9], [5, 3, 3]],
      [{ sort_order: DESCENDING, operator: SET }, [5, 3, 9], [5, 3, 9]],
      [{ sort_order: DESCENDING, operator: INCREMENT }, [5, 3, 9], [5, 8, 17]],
      [{ sort_order: DESCENDING, operator: DECREMENT }, [5, 3, 9], [0, 0, 0]],
    ]) {
      const id = name();
      await insertBoard(context, { id, ...columns });
      for (const [n, score] of written.entries()) {
        assert.equal(Number((await write(user, id, score)).score ?? 0), expected[n], JSON.stringify(columns));
      }
    }
  });

  test("many clients add to boards at once and every point counts", async () => {
    const [one, other] = [name(), name()];
    for (const id of [one, other]) await insertBoard(context, { id, operator: INCREMENT });
    const users = await players(context, 8);
    await Promise.all(users.flatMap((user) => Array.from({ length: 20 }, (_, n) => write(user, n % 2 ? one : other, n + 1))));
    for (const [id, sum] of [[one, 110], [other, 100]]) {
      const page = await list(users[0], id, users.map((user) => user.session.user_id), 100);
      assert.deepEqual(scores(page.records), users.map(() => sum));
      assert.deepEqual(ranks(page.owner_records), users.map((_, n) => n + 1));
      assert.deepEqual(page.records.map((record) => record.num_score), users.map(() => 10));
    }
  });

  test("refusals say why", async () => {
    const id = name();
    await insertBoard(context, { id, authoritative: true });
    const [user] = await players(context, 1);
    await refused(write(user, id, 1), 403, "Leaderboard only allows authoritative score submissions.");
    await refused(write(user, "none", 1), 404, "Leaderboard not found.");
    await refused(list(user, id, [], 10, "nonsense"), 400, "Cursor is invalid or expired.");
    await refused(list(user, id, [], 1001), 400, "Invalid limit - limit must be between 1 and 1000.");
    const stranger = { client: client(context.server), session: { token: "x" } };
    assert.equal((await list(stranger, id).catch((error) => error)).status, 401);
  });

  test("records expire with their period", async () => {
    const id = name();
    await insertBoard(context, { id, reset_schedule: "*/2 * * * * * *" });
    const [user] = await players(context, 1);
    const first = await write(user, id, 9);
    const expiry = Date.parse(first.expiry_time) / 1000;
    assert.equal(expiry % 2, 0);
    await new Promise((done) => setTimeout(done, expiry * 1000 - Date.now() + 50));
    const second = await write(user, id, 1);
    assert.deepEqual([Number(second.score), second.num_score], [1, 1]);
    const old = await list(user, id, [user.session.user_id], 10, undefined, String(expiry));
    assert.deepEqual([scores(old.records), scores(old.owner_records)], [[9], [9]]);
  });

  test("ranks and boards are there again after the server was killed", async () => {
    const id = name();
    await insertBoard(context, { id });
    const users = await players(context, 3);
    for (const [n, user] of users.entries()) await write(user, id, n + 1);
    const before = await list(users[0], id, [], 1);
    await context.server.kill();
    await context.server.up();
    const after = await list(users[0], id, [users[0].session.user_id], 10, before.next_cursor);
    assert.deepEqual([ranks(after.records), ranks(after.owner_records)], [[2, 3], [3]]);
  });

  test("the same calls over gRPC", async () => {
    const protoDir = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../proto/proto");
    const options = { includeDirs: [protoDir], keepCase: true, longs: Number, defaults: true };
    const { nakama } = grpc.loadPackageDefinition(loader.loadSync("nakama/api/nakama.proto", options));
    const stub = new nakama.api.Nakama(`127.0.0.1:${context.server.grpcPort}`, grpc.credentials.createInsecure());
    const [user] = await players(context, 1);
    const metadata = new grpc.Metadata();
    metadata.set("authorization", `Bearer ${user.session.token}`);
    const call = (method, request) =>
      new Promise((resolve, reject) =>
        stub[method](request, metadata, { deadline: Date.now() + 5000 }, (error, reply) => (error ? reject(error) : resolve(reply))),
      );
    try {
      const id = name();
      await insertBoard(context, { id });
      const record = await call("WriteLeaderboardRecord", { leaderboard_id: id, record: { score: 7, subscore: 2 } });
      assert.deepEqual([record.score, record.subscore, record.rank, record.expiry_time], [7, 2, 1, null]);
      const page = await call("ListLeaderboardRecords", { leaderboard_id: id, owner_ids: [user.session.user_id] });
      assert.deepEqual([page.records.length, page.owner_records.length, page.rank_count], [0, 1, 1]);
      const near = await call("ListLeaderboardRecordsAroundOwner", { leaderboard_id: id, owner_id: user.session.user_id });
      assert.equal(near.records[0].score, 7);
      await call("DeleteLeaderboardRecord", { leaderboard_id: id });
      await assert.rejects(call("DeleteLeaderboardRecord", { leaderboard_id: "none" }), { code: grpc.status.NOT_FOUND, details: "Leaderboard not found." });
    } finally {
      stub.close();
    }
  });
});
