// What users are told: live on every socket of theirs, and kept for those who were away.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";
import { connect, connectOnShard, signIn } from "./support/clients.mjs";
import { onBothStores } from "./support/stores.mjs";
import { Server } from "./support/server.mjs";

const DIRECT = 2;
const WANTS_TO_CHAT = -1;
const SINGLE_SOCKET = -7;
const USER_BANNED = -8;

const name = () => `user-${randomUUID().slice(0, 13)}`;
const parsed = (content) => (typeof content === "string" ? JSON.parse(content) : content);
const list = (user, limit, cursor) => user.client.listNotifications(user.session, limit, cursor);

/** Lets somebody new ask a user to chat, and waits until the user's notification of it is kept. */
async function ask(server, user) {
  const friend = await connect(await signIn(server, name()));
  await friend.socket.joinChat(user.session.user_id, DIRECT, true, false);
  friend.socket.disconnect(false);
  for (let tries = 0; tries < 200; tries += 1) {
    const kept = (await list(user, 100)).notifications ?? [];
    if (kept.some((one) => one.sender_id === friend.session.user_id)) return friend.session;
    await new Promise((done) => setTimeout(done, 10));
  }
  throw new Error("no notification of a direct message within 2 s");
}

onBothStores("notifications", (context) => {
  for (const format of ["json", "protobuf"]) {
    test(`reach every socket of a user live, on any shard, and are kept (${format})`, async () => {
      const phone = await connectOnShard(context.server, 0, { format });
      const desk = { ...(await connect(phone, { format: "json" })) };
      const friend = await ask(context.server, phone);
      for (const user of [phone, desk]) {
        const told = await user.inbox.next("notification");
        assert.equal(told.code, WANTS_TO_CHAT);
        assert.equal(told.sender_id, friend.user_id);
        assert.match(told.subject, /wants to chat/);
        assert.equal(parsed(told.content).username, friend.username);
        assert.equal(told.persistent, true);
      }
      const kept = (await list(phone, 10)).notifications;
      assert.equal(kept.length, 1);
      assert.equal(kept[0].code, WANTS_TO_CHAT);
      assert.equal(kept[0].sender_id, friend.user_id);
      assert.equal(parsed(kept[0].content).username, friend.username);
      assert.ok(Math.abs(Date.parse(kept[0].create_time) - Date.now()) < 60_000);
      for (const user of [phone, desk]) user.socket.disconnect(false);
    });
  }

  test("are listed page by page, and a kept cursor yields what came since", async () => {
    const user = await signIn(context.server);
    const friends = [];
    for (let n = 0; n < 5; n += 1) friends.push(await ask(context.server, user));
    const seen = [];
    let cursor;
    for (const limit of [2, 2, 2]) {
      const page = await list(user, limit, cursor);
      seen.push(...page.notifications.map((one) => one.sender_id));
      cursor = page.cacheable_cursor;
    }
    assert.deepEqual(seen, friends.map((friend) => friend.user_id), "oldest first, each once");
    assert.deepEqual((await list(user, 10, cursor)).notifications ?? [], []);
    const late = await ask(context.server, user);
    const since = await list(user, 10, cursor);
    assert.deepEqual(since.notifications.map((one) => one.sender_id), [late.user_id]);
  });

  test("are deleted by their user and by nobody else", async () => {
    const [ann, bob] = [await signIn(context.server), await signIn(context.server)];
    for (const user of [ann, ann, bob]) await ask(context.server, user);
    const ids = async (user) => ((await list(user, 10)).notifications ?? []).map((one) => one.id);
    const [mine, theirs] = [await ids(ann), await ids(bob)];
    await ann.client.deleteNotifications(ann.session, [mine[0], theirs[0]]);
    assert.deepEqual(await ids(ann), [mine[1]]);
    assert.deepEqual(await ids(bob), theirs);
  });

  test("survive a kill of the server", async () => {
    const user = await signIn(context.server);
    await ask(context.server, user);
    await context.server.kill();
    await context.server.up();
    assert.equal((await list(user, 10)).notifications.length, 1);
  });
});

describe("notification calls", () => {
  const protoDir = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../proto/proto");
  let server;
  before(async () => {
    server = await Server.start({ shards: 2 });
  });
  after(() => server?.stop());

  test("refuse limits, cursors and ids that are none", async () => {
    const user = await signIn(server);
    const status = (promise) => promise.then(() => 200, (response) => response.status);
    for (const limit of [101, -1]) assert.equal(await status(list(user, limit)), 400);
    assert.equal(await status(list(user, 10, "what")), 500);
    assert.equal(await status(user.client.deleteNotifications(user.session, ["what"])), 500);
  });

  test("answer over gRPC", async () => {
    const definition = loader.loadSync("nakama/api/nakama.proto", { includeDirs: [protoDir], keepCase: true });
    const { Nakama } = grpc.loadPackageDefinition(definition).nakama.api;
    const stub = new Nakama(`127.0.0.1:${server.grpcPort}`, grpc.credentials.createInsecure());
    const user = await signIn(server);
    const metadata = new grpc.Metadata();
    metadata.set("authorization", `Bearer ${user.session.token}`);
    const call = (method, request) =>
      new Promise((resolve, reject) => stub[method](request, metadata, (error, reply) => (error ? reject(error) : resolve(reply))));
    try {
      const friends = [await ask(server, user), await ask(server, user)];
      const first = await call("ListNotifications", {});
      assert.deepEqual(first.notifications.map((one) => one.sender_id), [friends[0].user_id]);
      const second = await call("ListNotifications", { limit: { value: 10 }, cacheable_cursor: first.cacheable_cursor });
      assert.deepEqual(second.notifications.map((one) => one.sender_id), [friends[1].user_id]);
      await call("DeleteNotifications", { ids: [first.notifications[0].id] });
      const left = await call("ListNotifications", { limit: { value: 10 } });
      assert.deepEqual(left.notifications.map((one) => one.id), [second.notifications[0].id]);
      const code = (promise) => promise.then(() => 0, (error) => error.code);
      assert.equal(await code(call("ListNotifications", { limit: { value: 101 } })), grpc.status.INVALID_ARGUMENT);
      assert.equal(await code(call("ListNotifications", { cacheable_cursor: "what" })), grpc.status.INTERNAL);
    } finally {
      stub.close();
    }
  });
});

describe("a user with a single socket", () => {
  let server;
  before(async () => {
    server = await Server.start({ shards: 2, flags: { "session.single_socket": true } });
  });
  after(() => server?.stop());

  for (const format of ["json", "protobuf"]) {
    for (const shard of [0, 1]) {
      test(`is told on the older one why it ends (${format}, from shard ${shard})`, async () => {
        const older = await connectOnShard(server, shard, { format });
        const newer = await connect(older, { format: "json" });
        const told = await older.inbox.next("notification");
        assert.equal(told.code, SINGLE_SOCKET);
        assert.equal(told.subject, "single_socket");
        assert.deepEqual(parsed(told.content), {});
        assert.ok(!told.persistent);
        const end = await older.inbox.next("disconnect");
        assert.equal(end.code, 1000);
        assert.equal(end.reason, "server-side session disconnect");
        await newer.inbox.none("disconnect");
        assert.ok((await newer.socket.joinChat("still-here", 1, false, false)).id);
        assert.deepEqual((await list(newer, 10)).notifications ?? [], [], "such a notice is not kept");
        newer.socket.disconnect(false);
      });
    }
  }
});

describe("a user with more sockets than a user may have", () => {
  let server;
  before(async () => {
    server = await Server.start({ shards: 2, flags: { "session.max_per_user": 2 } });
  });
  after(() => server?.stop());

  test("loses the oldest", async () => {
    const user = await signIn(server);
    const sockets = [];
    for (let n = 0; n < 3; n += 1) sockets.push(await connect(user, { format: n % 2 ? "protobuf" : "json" }));
    const end = await sockets[0].inbox.next("disconnect");
    assert.deepEqual([end.code, end.reason], [1008, "too many sessions of this user"]);
    for (const socket of sockets.slice(1)) {
      await socket.inbox.none("disconnect", undefined, 100);
      assert.ok((await socket.socket.joinChat("still-here", 1, false, false)).id);
      socket.socket.disconnect(false);
    }
  });
});

describe("what operators send", () => {
  let server;
  let authorization;
  before(async () => {
    server = await Server.start({ shards: 2 });
    const session = await operate("authenticate", { username: "admin", password: "password" });
    authorization = `Bearer ${session.token}`;
  });
  after(() => server?.stop());

  async function operate(path, body) {
    const headers = { "content-type": "application/json", ...(authorization ? { authorization } : {}) };
    const response = await fetch(`http://127.0.0.1:${server.consolePort}/v2/console/${path}`, { method: "POST", headers, body: JSON.stringify(body) });
    assert.equal(response.status, 200, path);
    return response.json();
  }

  test("reaches those who are named, once each, and nobody else", async () => {
    const ann = await connectOnShard(server, 0, { format: "json" });
    const bob = await connectOnShard(server, 1, { format: "protobuf" });
    const cat = await connect(await signIn(server));
    const ids = [ann, bob, ann].map((user) => user.session.user_id);
    await operate("notification", { user_ids: ids, subject: "a gift", content: { gold: 100 }, code: 101, persistent: false });
    for (const user of [ann, bob]) {
      const told = await user.inbox.next("notification");
      assert.deepEqual([told.subject, told.code, parsed(told.content)], ["a gift", 101, { gold: 100 }]);
      assert.equal(told.sender_id, "00000000-0000-0000-0000-000000000000");
      assert.ok(!told.persistent);
    }
    for (const user of [ann, bob, cat]) {
      await user.inbox.none("notification", undefined, 100);
      assert.deepEqual((await list(user, 10)).notifications ?? [], []);
      user.socket.disconnect(false);
    }
  });

  test("reaches everybody: who is online at once, and of what is kept who was away too", async () => {
    const away = await signIn(server);
    const ann = await connectOnShard(server, 0, { format: "protobuf" });
    const bob = await connectOnShard(server, 1, { format: "json" });
    for (const persistent of [false, true]) {
      await operate("notification", { subject: "maintenance", content: {}, code: 102, persistent });
      for (const user of [ann, bob]) {
        const told = await user.inbox.next("notification");
        assert.deepEqual([told.subject, told.code, Boolean(told.persistent)], ["maintenance", 102, persistent]);
      }
    }
    for (let tries = 0; ((await list(away, 10)).notifications ?? []).length === 0; tries += 1) {
      assert.ok(tries < 200, "who was away finds it");
      await new Promise((done) => setTimeout(done, 10));
    }
    for (const user of [ann, bob]) {
      assert.equal((await list(user, 10)).notifications.length, 1);
      await user.inbox.none("notification", undefined, 100);
      user.socket.disconnect(false);
    }
  });

  for (const format of ["json", "protobuf"]) {
    test(`a banned user is told so on every socket, and then cut off (${format})`, async () => {
      const phone = await connectOnShard(server, 0, { format });
      const desk = await connect(phone, { format });
      const bystander = await connect(await signIn(server));
      await operate(`account/${phone.session.user_id}/ban`, {});
      for (const user of [phone, desk]) {
        const told = await user.inbox.next("notification");
        assert.deepEqual([told.code, told.subject, parsed(told.content)], [USER_BANNED, "banned", {}]);
        const end = await user.inbox.next("disconnect");
        assert.deepEqual([end.code, end.reason], [1000, "server-side session disconnect"]);
      }
      await bystander.inbox.none("disconnect", undefined, 100);
      bystander.socket.disconnect(false);
      await assert.rejects(phone.client.authenticateDevice(phone.device, false), (response) => response.status === 403);
    });
  }
});
