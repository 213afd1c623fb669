// Storage objects through the SDK and gRPC, and the console's calls that go with them.
import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";
import { signIn } from "./support/clients.mjs";
import { onBothStores } from "./support/stores.mjs";

const protoDir = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../proto/proto");
const loading = { includeDirs: [protoDir], keepCase: true, longs: String, defaults: true };
const { nakama } = grpc.loadPackageDefinition(loader.loadSync("nakama/api/nakama.proto", loading));

const save = (key, value, more = {}) => ({ collection: "saves", key, value, ...more });
const status = (promise) => promise.then(() => 200, (response) => response.status);

onBothStores("storage", (context) => {
  const write = async (user, ...objects) => (await user.client.writeStorageObjects(user.session, objects)).acks;
  const read = async (user, ...object_ids) =>
    (await user.client.readStorageObjects(user.session, { object_ids })).objects;
  const own = (user, key) => ({ collection: "saves", key, user_id: user.session.user_id });

  test("an object comes back as it was written, with its version", async () => {
    const user = await signIn(context.server);
    const value = { hero: "欠片", items: [1, 2.5, { deep: null }], big: 9007199254740991 };
    const [ack] = await write(user, save("one", value));
    const [object] = await read(user, own(user, "one"));
    assert.deepEqual(object.value, value);
    assert.equal(object.version, ack.version);
    assert.equal(object.permission_read, 1);
    assert.equal(object.permission_write, 1);
  });

  test("who knows the version writes, and who knows an old one does not", async () => {
    const user = await signIn(context.server);
    const [first] = await write(user, save("one", { n: 1 }, { version: "*" }));
    assert.equal(await status(write(user, save("one", { n: 1 }, { version: "*" }))), 400);
    await write(user, save("one", { n: 2 }, { version: first.version }));
    assert.equal(await status(write(user, save("one", { n: 3 }, { version: first.version }))), 400);
    const [object] = await read(user, own(user, "one"));
    assert.deepEqual(object.value, { n: 2 });
  });

  test("permissions say who reads and who writes", async () => {
    const [ann, ben] = [await signIn(context.server), await signIn(context.server)];
    await write(
      ann,
      save("hidden", { v: 1 }, { permission_read: 0, permission_write: 0 }),
      save("own", { v: 1 }),
      save("public", { v: 1 }, { permission_read: 2, permission_write: 0 }),
    );
    const all = ["hidden", "own", "public"].map((key) => own(ann, key));
    assert.deepEqual((await read(ann, ...all)).map((one) => one.key), ["own", "public"]);
    assert.deepEqual((await read(ben, ...all)).map((one) => one.key), ["public"]);
    assert.equal(await status(write(ann, save("public", { v: 2 }))), 400);
    const gone = { object_ids: [{ collection: "saves", key: "public" }] };
    assert.equal(await status(ann.client.deleteStorageObjects(ann.session, gone)), 400);
    const own_gone = { object_ids: [{ collection: "saves", key: "own" }] };
    await ann.client.deleteStorageObjects(ann.session, own_gone);
    assert.deepEqual((await read(ann, ...all)).map((one) => one.key), ["public"]);
  });

  test("lists go page by page", async () => {
    const user = await signIn(context.server);
    const keys = Array.from({ length: 7 }, (_, n) => `k${n}`);
    await write(user, ...keys.map((key) => save(key, {})));
    const seen = [];
    let cursor;
    do {
      const page = await user.client.listStorageObjects(user.session, "saves", user.session.user_id, 3, cursor);
      seen.push(...page.objects.map((one) => one.key));
      cursor = page.cursor;
    } while (cursor);
    assert.deepEqual(seen, keys);
    const bad = user.client.listStorageObjects(user.session, "saves", user.session.user_id, 3, "what");
    assert.equal(await status(bad), 400);
    assert.equal(await status(user.client.listStorageObjects(user.session, "saves", undefined, 101)), 400);
  });

  test("many clients that count with versions lose nothing", async () => {
    const user = await signIn(context.server);
    await write(user, save("counter", { n: 0 }));
    const add = async () => {
      for (let done = 0; done < 5; ) {
        const [object] = await read(user, own(user, "counter"));
        const next = save("counter", { n: object.value.n + 1 }, { version: object.version });
        if ((await status(write(user, next))) === 200) done += 1;
      }
    };
    await Promise.all(Array.from({ length: 6 }, add));
    assert.deepEqual((await read(user, own(user, "counter")))[0].value, { n: 30 });
  });

  test("what was acknowledged survives a kill of the server", async () => {
    const user = await signIn(context.server);
    const [ack] = await write(user, save("one", { kept: true }));
    await context.server.kill();
    await context.server.up();
    assert.equal((await read(user, own(user, "one")))[0].version, ack.version);
  });

  test("gRPC answers alike", async () => {
    const user = await signIn(context.server);
    const stub = new nakama.api.Nakama(`127.0.0.1:${context.server.grpcPort}`, grpc.credentials.createInsecure());
    const metadata = new grpc.Metadata();
    metadata.set("authorization", `Bearer ${user.session.token}`);
    const call = (method, request) =>
      new Promise((resolve, reject) =>
        stub[method](request, metadata, { deadline: Date.now() + 5000 }, (error, reply) => (error ? reject(error) : resolve(reply))),
      );
    try {
      const object = { collection: "saves", key: "one", value: '{"n":1}', permission_read: { value: 2 } };
      const { acks } = await call("WriteStorageObjects", { objects: [object] });
      const found = await call("ReadStorageObjects", { object_ids: [own(user, "one")] });
      assert.equal(found.objects[0].version, acks[0].version);
      assert.equal(found.objects[0].permission_read, 2);
      const page = await call("ListStorageObjects", { collection: "saves", user_id: user.session.user_id, limit: { value: 10 } });
      assert.deepEqual(page.objects.map((one) => one.key), ["one"]);
      const stale = { ...object, version: "stale" };
      const code = (promise) => promise.then(() => 0, (error) => error.code);
      assert.equal(await code(call("WriteStorageObjects", { objects: [stale] })), grpc.status.INVALID_ARGUMENT);
      await call("DeleteStorageObjects", { object_ids: [{ collection: "saves", key: "one", version: acks[0].version }] });
      assert.deepEqual((await call("ReadStorageObjects", { object_ids: [own(user, "one")] })).objects, []);
      await call("Event", { name: "level", properties: { n: "1" } });
    } finally {
      stub.close();
    }
  });

  test("an operator writes what the player may only read, and moves the account", async () => {
    const user = await signIn(context.server);
    const base = `http://127.0.0.1:${context.server.consolePort}/v2/console`;
    const ask = async (method, where, body, token) => {
      const headers = { "content-type": "application/json", ...(token ? { authorization: `Bearer ${token}` } : {}) };
      const response = await fetch(`${base}/${where}`, { method, headers, body: body && JSON.stringify(body) });
      assert.equal(response.status, 200, `${method} ${where}: ${await response.clone().text()}`);
      return response.json();
    };
    const { token } = await ask("POST", "authenticate", { username: "admin", password: "password" });
    const id = user.session.user_id;
    const object = { value: '{"medal": 1}', permission_read: 1, permission_write: 0 };
    await ask("PUT", `storage/saves/medals/${id}`, object, token);
    assert.deepEqual((await read(user, own(user, "medals")))[0].value, { medal: 1 });
    assert.equal(await status(write(user, save("medals", { medal: 2 }))), 400);

    await ask("POST", `account/${id}`, { wallet: '{"gold": 12}' }, token);
    assert.deepEqual(JSON.parse((await user.client.getAccount(user.session)).wallet), { gold: 12 });
    const data = await ask("GET", `account/${id}/export`, undefined, token);
    await ask("DELETE", `account/${id}?record_deletion=true`, undefined, token);
    const left = await ask("GET", `account?tombstones=true&filter=${id}`, undefined, token);
    assert.equal(left.users[0].id, id);
    await ask("POST", "account", { data }, token);
    const again = await user.client.authenticateDevice(user.device, false);
    assert.equal(again.user_id, id);
    const back = { client: user.client, session: again };
    assert.deepEqual((await read(back, own(back, "medals")))[0].value, { medal: 1 });
    assert.deepEqual(JSON.parse((await user.client.getAccount(again)).wallet), { gold: 12 });
  });
});
