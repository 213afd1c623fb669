// Tournaments through the unmodified SDK, on servers of several shards.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";
import { Time, insertBoard, sql } from "./support/boards.mjs";
import { signIn } from "./support/clients.mjs";
import { onBothStores } from "./support/stores.mjs";

const name = () => `cup-${randomUUID().slice(0, 13)}`;
const now = () => Math.floor(Date.now() / 1000);
const join = (user, id) => user.client.joinTournament(user.session, id);
const write = (user, id, score) => user.client.writeTournamentRecord(user.session, id, { score: String(score) });
const list = (user, id, ...rest) => user.client.listTournamentRecords(user.session, id, ...rest);
const ranks = (records) => (records ?? []).map((record) => Number(record.rank));

/** A tournament that has begun and takes scores for an hour. */
const insert = (context, columns) =>
  insertBoard(context, { duration: 3600, start_time: new Time(now() - 5), title: "Cup", ...columns });

async function players(context, count) {
  return Promise.all(Array.from({ length: count }, () => signIn(context.server)));
}

async function refused(promise, status, message) {
  const error = await promise.then(() => assert.fail("it was not refused"), (error) => error);
  assert.equal(error.status, status);
  assert.equal((await error.json()).message, message);
}

onBothStores("tournaments", (context) => {
  test("are joined, written to and listed", async () => {
    const id = name();
    await insert(context, { id, join_required: true, max_size: 3, category: 7 });
    const users = await players(context, 4);
    await refused(write(users[0], id, 1), 400, "Must join tournament before attempting to write value.");
    const joins = await Promise.allSettled(users.map((user) => join(user, id)));
    const inside = users.filter((_, n) => joins[n].status === "fulfilled");
    assert.equal(inside.length, 3, "one place too few");
    const failed = joins.find((join) => join.status === "rejected").reason;
    assert.equal((await failed.json()).message, "Tournament cannot be joined as it has reached its max size.");
    for (const [n, user] of inside.entries()) assert.equal(Number((await write(user, id, n + 1)).rank), 1);
    const page = await list(users[0], id, [inside[0].session.user_id], 2);
    assert.deepEqual([ranks(page.records), ranks(page.owner_records)], [[1, 2], [3]]);
    assert.deepEqual(ranks((await list(users[0], id, [], 2, page.next_cursor)).records), [3]);
    const near = await users[0].client.listTournamentRecordsAroundOwner(users[0].session, id, inside[0].session.user_id, 2);
    assert.deepEqual(ranks(near.records), [2, 3]);
    const found = await users[0].client.listTournaments(users[0].session, 7, 7);
    const cup = found.tournaments.find((tournament) => tournament.id === id);
    assert.deepEqual([cup.size, cup.max_size, cup.can_enter ?? false, cup.title], [3, 3, false, "Cup"]);
    await inside[0].client.deleteTournamentRecord(inside[0].session, id);
    const again = await users[0].client.listTournaments(users[0].session, 7, 7);
    assert.equal(again.tournaments.find((tournament) => tournament.id === id).size, 2);
  });

  test("take as many attempts as they say, from many clients at once", async () => {
    const id = name();
    await insert(context, { id, max_num_score: 5, operator: 2 });
    const [user] = await players(context, 1);
    const attempts = await Promise.allSettled(Array.from({ length: 12 }, () => write(user, id, 10)));
    assert.equal(attempts.filter((attempt) => attempt.status === "fulfilled").length, 5);
    const record = (await list(user, id)).records[0];
    assert.deepEqual([Number(record.score), record.num_score], [50, 5]);
    await refused(write(user, id, 10), 400, "Reached allowed max number of score attempts.");
  });

  test("take scores only while they run", async () => {
    const [soon, over] = [name(), name()];
    await insert(context, { id: soon, start_time: new Time(now() + 900) });
    await insert(context, { id: over, start_time: new Time(now() - 900), end_time: new Time(now() - 10) });
    const [user] = await players(context, 1);
    await refused(write(user, soon, 1), 400, "Tournament is not active and cannot accept new scores.");
    await refused(write(user, over, 1), 404, "Tournament not found or has ended.");
    await refused(list(user, over), 404, "Tournament has ended.");
    await refused(write(user, "none", 1), 404, "Tournament not found.");
    await refused(join(user, "none"), 404, "Tournament not found.");
  });

  test("begin anew at each reset, and the reset is remembered", async () => {
    const id = name();
    await insert(context, { id, duration: 2, reset_schedule: "*/2 * * * * * *", max_size: 5 });
    const [user] = await players(context, 1);
    const record = await write(user, id, 3);
    const expiry = Date.parse(record.expiry_time);
    const size = async () => {
      const found = await user.client.listTournaments(user.session, 0, 127, undefined, undefined, 100);
      return found.tournaments.find((tournament) => tournament.id === id).size ?? 0;
    };
    const deadline = Date.now() + 10_000;
    while ((await size()) !== 0 && Date.now() < deadline) await new Promise((done) => setTimeout(done, 50));
    assert.equal(await size(), 0);
    assert.ok(Date.now() >= expiry, "not before its time");
    const fences = await sql(context, `SELECT count(*) FROM storage WHERE key = '${id}' AND read = 0 AND write = 0`);
    assert.equal(fences, "2");
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
      await insert(context, { id, join_required: true });
      const record = { tournament_id: id, record: { score: 7 } };
      await assert.rejects(call("WriteTournamentRecord", record), { code: grpc.status.FAILED_PRECONDITION });
      await call("JoinTournament", { tournament_id: id });
      assert.equal((await call("WriteTournamentRecord", record)).score, 7);
      assert.equal((await call("ListTournamentRecords", { tournament_id: id })).records.length, 1);
      const near = await call("ListTournamentRecordsAroundOwner", { tournament_id: id, owner_id: user.session.user_id });
      assert.equal(near.records[0].rank, 1);
      assert.ok((await call("ListTournaments", {})).tournaments.some((tournament) => tournament.id === id));
      await call("DeleteTournamentRecord", { tournament_id: id });
      assert.equal((await call("ListTournamentRecords", { tournament_id: id })).records.length, 0);
    } finally {
      stub.close();
    }
  });
});
