// Accounts over gRPC, with a client that we did not write: read, changed, linked, deleted, and missed.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { sql } from "./support/boards.mjs";
import { Calls } from "./support/calls.mjs";
import { client, signIn } from "./support/clients.mjs";
import { onBothStores } from "./support/stores.mjs";

const [EXISTS, DENIED, UNAUTHENTICATED] = [6, 7, 16];
const code = async (answer) => (await answer).code;

onBothStores("accounts over gRPC", (context) => {
  let calls;

  before(() => (calls = new Calls(context.server)));
  after(() => calls.close());

  test("are read and changed", async () => {
    const user = await signIn(context.server);
    const username = `name-${randomUUID()}`;
    await calls.ok(user, "UpdateAccount", { username: { value: username }, display_name: { value: "Ann" }, location: { value: "Köln" } });
    await calls.ok(user, "UpdateAccount", { location: { value: "" }, timezone: { value: "Europe/Berlin" } });
    const account = await calls.ok(user, "GetAccount");
    assert.deepEqual(
      [account.user.username, account.user.display_name, account.user.location, account.user.timezone, account.user.lang_tag],
      [username, "Ann", "", "Europe/Berlin", "en"],
    );
    assert.deepEqual([account.devices.map((device) => device.id), account.wallet], [[user.device], "{}"]);
    const other = await signIn(context.server);
    const { users } = await calls.ok(other, "GetUsers", { usernames: [username] });
    assert.deepEqual(users.map((one) => one.id), [user.session.user_id]);
    assert.deepEqual((await calls.ok(other, "GetUsers", {})).users, []);
  });

  test("are linked and unlinked", async () => {
    const [user, other] = [await signIn(context.server), await signIn(context.server)];
    const [device, custom, email] = [randomUUID(), randomUUID(), `${randomUUID()}@example.com`];
    await calls.ok(user, "LinkDevice", { id: device });
    await calls.ok(user, "LinkCustom", { id: custom });
    await calls.ok(user, "LinkEmail", { email, password: "correct horse" });
    for (const [rpc, request] of [["LinkDevice", { id: device }], ["LinkCustom", { id: custom }], ["LinkEmail", { email, password: "correct horse" }]]) {
      assert.equal(await code(calls.grpc(other, rpc, request)), EXISTS, rpc);
      assert.equal(await code(calls.grpc(other, rpc.replace("Link", "Unlink"), request)), DENIED, "not theirs");
    }
    const same = (session) => assert.equal(session.user_id, user.session.user_id);
    same(await client(context.server).authenticateDevice(device, false));
    same(await client(context.server).authenticateCustom(custom, false));
    same(await client(context.server).authenticateEmail(email, "correct horse", false));
    await calls.ok(user, "UnlinkDevice", { id: user.device });
    await calls.ok(user, "UnlinkEmail", { email });
    await calls.ok(user, "UnlinkCustom", { id: custom });
    assert.equal(await code(calls.grpc(user, "UnlinkDevice", { id: device })), DENIED, "the last one stays");
    for (const rpc of ["UnlinkApple", "UnlinkFacebook", "UnlinkFacebookInstantGame", "UnlinkGameCenter", "UnlinkGoogle", "UnlinkSteam"]) {
      await calls.ok(user, rpc, {});
    }
    const account = await calls.ok(user, "GetAccount");
    assert.deepEqual([account.devices.map((one) => one.id), account.email, account.custom_id], [[device], "", ""]);
  });

  test("are unlinked by many at once and keep one key", async () => {
    const user = await signIn(context.server);
    const devices = [user.device, ...Array.from({ length: 5 }, () => randomUUID())];
    await Promise.all(devices.slice(1).map((id) => calls.ok(user, "LinkDevice", { id })));
    const answers = await Promise.all(devices.map((id) => calls.grpc(user, "UnlinkDevice", { id })));
    assert.deepEqual(answers.map((answer) => answer.code).sort(), [0, 0, 0, 0, 0, DENIED]);
    assert.equal((await calls.ok(user, "GetAccount")).devices.length, 1);
  });

  test("are deleted with all they had, and those they knew are left with right counts", async () => {
    const [ann, bob] = [await signIn(context.server), await signIn(context.server)];
    for (const [one, two] of [[ann, bob], [bob, ann]]) await calls.ok(one, "AddFriends", { ids: [two.session.user_id] });
    const group = await calls.ok(ann, "CreateGroup", { name: randomUUID(), open: true });
    const lone = await calls.ok(ann, "CreateGroup", { name: randomUUID(), open: true });
    await calls.ok(bob, "JoinGroup", { group_id: group.id });
    await calls.ok(ann, "PromoteGroupUsers", { group_id: group.id, user_ids: [bob.session.user_id] });
    await calls.ok(ann, "PromoteGroupUsers", { group_id: group.id, user_ids: [bob.session.user_id] });
    await calls.ok(ann, "WriteStorageObjects", { objects: [{ collection: "saves", key: "one", value: "{}", permission_read: { value: 2 } }] });
    // A deletion ends the sessions of the seconds before it.
    await new Promise((done) => setTimeout(done, 1100));
    await calls.ok(ann, "DeleteAccount");
    assert.equal(await code(calls.grpc(ann, "GetAccount")), UNAUTHENTICATED);
    assert.equal((await calls.ok(bob, "GetAccount")).user.edge_count, 0);
    assert.deepEqual((await calls.ok(bob, "ListFriends")).friends, []);
    assert.deepEqual((await calls.ok(bob, "ListGroupUsers", { group_id: group.id })).group_users.map((one) => one.user.id), [bob.session.user_id]);
    const [left] = (await calls.ok(bob, "ListGroups", { name: group.name })).groups;
    assert.equal(left.edge_count, 1);
    assert.deepEqual((await calls.ok(bob, "ListGroups", { name: lone.name })).groups, [], "nobody is left in it");
    const object_ids = [{ collection: "saves", key: "one", user_id: ann.session.user_id }];
    assert.deepEqual((await calls.ok(bob, "ReadStorageObjects", { object_ids })).objects, []);
    assert.equal(await code(calls.grpc(bob, "AddFriends", { ids: [ann.session.user_id] })), 0, "as if there had never been anybody");
    assert.deepEqual((await calls.ok(bob, "ListFriends")).friends, []);
    assert.equal(await sql(context, "SELECT count(*) FROM user_tombstone"), "0", "nobody asked for one");
    const gone = client(context.server).authenticateDevice(ann.device, false);
    assert.equal(await gone.catch((error) => error.status), 404);
  });

  test("send events", async () => {
    const user = await signIn(context.server);
    await calls.ok(user, "Event", { name: "level", properties: { n: "3" }, timestamp: { seconds: 1_700_000_000 }, external: true });
    await user.client.emitEvent(user.session, { name: "level", properties: { n: "3" } });
    assert.equal(await code(calls.grpc(undefined, "Event", { name: "level" })), UNAUTHENTICATED);
  });
});
