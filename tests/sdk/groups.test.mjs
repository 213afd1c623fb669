// Groups: founded, joined, led and left by unmodified clients; their channel tells of it.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";
import { connect, connectOnShard, signIn } from "./support/clients.mjs";
import { onBothStores } from "./support/stores.mjs";

const [SUPERADMIN, ADMIN, MEMBER, ASKS, BANNED] = [0, 1, 2, 3, 4];
const [ADDED, WANTS_TO_JOIN] = [-4, -5];
const CODES = { join: 3, add: 4, leave: 5, kick: 6, promote: 7, ban: 8, demote: 9 };
const GROUP = 3;

const protoDir = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../proto/proto");
const parsed = (content) => (typeof content === "string" ? JSON.parse(content) : content);
const name = (what) => `${what}-${randomUUID().slice(0, 13)}`;
const person = (server) => signIn(server, name("user"));
const found = (by, open = true, rest = {}) => by.client.createGroup(by.session, { name: name("group"), open, ...rest });
const join = (by, group) => by.client.joinGroup(by.session, group.id);
const leave = (by, group) => by.client.leaveGroup(by.session, group.id);
const act = (call) => (by, group, ...whom) => by.client[`${call}GroupUsers`](by.session, group.id, whom.map((who) => who.session.user_id));
const [add, kick, ban, promote, demote] = ["add", "kick", "ban", "promote", "demote"].map(act);
const status = (promise) => promise.then(() => 200, (response) => response.status);

/** Ids and states of a group's users. */
async function users(by, group, ...filter) {
  const page = await by.client.listGroupUsers(by.session, group.id, ...filter);
  return (page.group_users ?? []).map((one) => [one.user.id, one.state]);
}

/** The group as it is listed. */
async function look(by, group) {
  return (await by.client.listGroups(by.session, group.name, undefined, 1)).groups[0];
}

onBothStores("groups", (context) => {
  for (const format of ["json", "protobuf"]) {
    test(`tell on their channel who comes, rises, falls and goes, on any shard (${format})`, async () => {
      const ann = await connectOnShard(context.server, 0, { format });
      const bob = await connectOnShard(context.server, 1, { format });
      const group = await found(ann);
      const channel = await ann.socket.joinChat(group.id, GROUP, true, false);
      assert.equal(channel.group_id, group.id);
      const told = async (what, who, inbox = ann.inbox) => {
        const message = await inbox.next("channel_message");
        assert.equal(message.code, CODES[what], what);
        assert.equal(message.sender_id, who.session.user_id);
        assert.equal(message.username, who.session.username);
        assert.equal(message.group_id, group.id);
      };
      await join(bob, group);
      await told("join", bob);
      await bob.socket.joinChat(group.id, GROUP, true, false);
      await promote(ann, group, bob);
      await told("promote", bob);
      await told("promote", bob, bob.inbox);
      await demote(ann, group, bob);
      await told("demote", bob);
      await told("demote", bob, bob.inbox);
      await kick(ann, group, bob);
      await told("kick", bob);
      await told("kick", bob, bob.inbox);
      const gone = await ann.inbox.next("channel_presence", (event) => event.leaves?.length);
      assert.equal(gone.leaves[0].user_id, bob.session.user_id);
      await assert.rejects(bob.socket.writeChatMessage(channel.id, { still: "here?" }), "off the channel");
      await assert.rejects(bob.socket.joinChat(group.id, GROUP, true, false), "no member");
      await add(ann, group, bob);
      await told("add", bob);
      const added = await bob.inbox.next("notification");
      assert.equal(added.code, ADDED);
      assert.deepEqual(parsed(added.content), { group_id: group.id, name: group.name });
      await leave(bob, group);
      await told("leave", bob);
      await add(ann, group, bob);
      await ban(ann, group, bob);
      await told("add", bob);
      await told("ban", bob);
      const history = await ann.client.listChannelMessages(ann.session, channel.id, 100, true);
      const codes = history.messages.map((message) => message.code);
      assert.deepEqual(codes, ["join", "promote", "demote", "kick", "add", "leave", "add", "ban"].map((what) => CODES[what]));
      for (const user of [ann, bob]) user.socket.disconnect(false);
    });
  }

  test("closed ones are asked, and those who lead are told and let in", async () => {
    const [ann, bob] = [await connect(await person(context.server)), await person(context.server)];
    const group = await found(ann, false);
    await join(bob, group);
    const asked = await ann.inbox.next("notification");
    assert.equal(asked.code, WANTS_TO_JOIN);
    assert.equal(asked.sender_id, bob.session.user_id);
    assert.deepEqual(parsed(asked.content), { group_id: group.id, username: bob.session.username });
    assert.deepEqual(await users(bob, group), [[ann.session.user_id, SUPERADMIN], [bob.session.user_id, ASKS]]);
    assert.equal((await look(ann, group)).edge_count, 1);
    await add(ann, group, bob);
    assert.deepEqual(await users(bob, group, MEMBER), [[bob.session.user_id, MEMBER]]);
    assert.equal((await look(ann, group)).edge_count, 2);
    ann.socket.disconnect(false);
  });

  test("keep the banned out, and their last superadmin in", async () => {
    const [ann, bob, cat] = [await person(context.server), await person(context.server), await person(context.server)];
    const group = await found(ann);
    await join(bob, group);
    await join(cat, group);
    assert.equal(await status(leave(ann, group)), 400);
    assert.equal(await status(kick(cat, group, bob)), 404);
    await promote(ann, group, bob);
    await ban(bob, group, cat);
    await join(cat, group);
    assert.deepEqual(await users(ann, group, BANNED), [[cat.session.user_id, BANNED]]);
    assert.deepEqual(await users(ann, group), [[ann.session.user_id, SUPERADMIN], [bob.session.user_id, ADMIN]]);
    await kick(bob, group, cat);
    await join(cat, group);
    await leave(bob, group);
    await leave(cat, group);
    await leave(ann, group);
    assert.equal(await look(ann, group), undefined, "the last one closes the door");
  });

  test("are changed and deleted by those who lead", async () => {
    const [ann, bob] = [await person(context.server), await person(context.server)];
    const group = await found(ann, true, { description: "we read", lang_tag: "fr", max_count: 2 });
    await join(bob, group);
    assert.equal(await status(join(await person(context.server), group)), 400, "full");
    const renamed = { id: group.id, name: name("renamed") };
    await ann.client.updateGroup(ann.session, group.id, { name: renamed.name, open: false });
    const seen = await look(ann, renamed);
    assert.equal(seen.open, false);
    assert.equal(seen.description, "we read");
    assert.equal(seen.lang_tag, "fr");
    assert.equal(await status(bob.client.updateGroup(bob.session, group.id, { open: true })), 404);
    assert.equal(await status(found(bob, true, { name: renamed.name })), 409);
    assert.equal(await status(bob.client.deleteGroup(bob.session, group.id)), 400);
    await ann.client.deleteGroup(ann.session, group.id);
    assert.deepEqual((await bob.client.listUserGroups(bob.session, bob.session.user_id)).user_groups ?? [], []);
  });

  test("are listed page by page, and so are users and memberships", async () => {
    const ann = await person(context.server);
    const shared = name("many");
    const groups = [];
    for (let n = 0; n < 5; n += 1) groups.push(await found(ann, n < 3, { name: `${shared} ${n}` }));
    const pages = async (list) => {
      const seen = [];
      let cursor;
      do {
        const page = await list(cursor);
        seen.push(...page.items);
        cursor = page.cursor;
      } while (cursor);
      return seen;
    };
    const named = await pages(async (cursor) => {
      const page = await ann.client.listGroups(ann.session, `${shared}%`, cursor, 2);
      return { items: page.groups.map((group) => group.id), cursor: page.cursor };
    });
    assert.deepEqual(named, groups.map((group) => group.id));
    const mine = await pages(async (cursor) => {
      // The SDK hands these two on in each other's place: the limit comes first on the wire.
      const page = await ann.client.listUserGroups(ann.session, ann.session.user_id, 2, SUPERADMIN, cursor);
      return { items: page.user_groups.map((one) => one.group.id), cursor: page.cursor };
    });
    assert.deepEqual(mine, groups.map((group) => group.id));
    const people = [];
    for (let n = 0; n < 4; n += 1) {
      people.push(await person(context.server));
      await join(people[n], groups[0]);
    }
    const members = await pages(async (cursor) => {
      const page = await ann.client.listGroupUsers(ann.session, groups[0].id, undefined, 2, cursor);
      return { items: page.group_users.map((one) => one.user.id), cursor: page.cursor };
    });
    assert.deepEqual(members, [ann, ...people].map((one) => one.session.user_id));
  });

  test("many at once leave no count behind and no conflict in the way", async () => {
    const [ann, bob] = [await person(context.server), await person(context.server)];
    const people = await Promise.all(Array.from({ length: 5 }, () => person(context.server)));
    const group = await found(ann);
    await add(ann, group, bob);
    await promote(ann, group, bob);
    const storm = people.flatMap((one, n) =>
      [join(one, group), add(ann, group, ...people), kick(bob, group, one), join(one, group), leave(one, group), promote(bob, group, ...people.slice(n)), join(one, group)],
    );
    await Promise.all(storm);
    const members = (await users(ann, group)).filter(([, state]) => state <= MEMBER);
    assert.equal((await look(ann, group)).edge_count, members.length);
  });

  test("answer over gRPC", async () => {
    const definition = loader.loadSync("nakama/api/nakama.proto", { includeDirs: [protoDir], keepCase: true, defaults: true });
    const { Nakama } = grpc.loadPackageDefinition(definition).nakama.api;
    const stub = new Nakama(`127.0.0.1:${context.server.grpcPort}`, grpc.credentials.createInsecure());
    const [ann, bob] = [await person(context.server), await person(context.server)];
    const call = (by, method, request) => {
      const metadata = new grpc.Metadata();
      metadata.set("authorization", `Bearer ${by.session.token}`);
      return new Promise((resolve, reject) => stub[method](request, metadata, (error, reply) => (error ? reject(error) : resolve(reply))));
    };
    try {
      const group = await call(ann, "CreateGroup", { name: name("grpc"), open: true });
      const [group_id, user_ids] = [group.id, [bob.session.user_id]];
      await call(bob, "JoinGroup", { group_id });
      await call(ann, "PromoteGroupUsers", { group_id, user_ids });
      await call(ann, "DemoteGroupUsers", { group_id, user_ids });
      await call(ann, "KickGroupUsers", { group_id, user_ids });
      await call(ann, "AddGroupUsers", { group_id, user_ids });
      const list = await call(bob, "ListGroupUsers", { group_id, limit: { value: 10 } });
      assert.deepEqual(list.group_users.map((one) => one.state.value), [SUPERADMIN, MEMBER]);
      await call(ann, "UpdateGroup", { group_id, description: { value: "by gRPC" } });
      const groups = await call(bob, "ListUserGroups", { user_id: bob.session.user_id });
      assert.equal(groups.user_groups[0].group.description, "by gRPC");
      await call(bob, "LeaveGroup", { group_id });
      await call(ann, "BanGroupUsers", { group_id, user_ids });
      await call(ann, "DeleteGroup", { group_id });
      assert.deepEqual((await call(ann, "ListGroups", { name: group.name })).groups, []);
      const code = (promise) => promise.then(() => 0, (error) => error.code);
      assert.equal(await code(call(ann, "DeleteGroup", { group_id })), grpc.status.INVALID_ARGUMENT);
      assert.equal(await code(call(bob, "KickGroupUsers", { group_id, user_ids: [ann.session.user_id] })), grpc.status.NOT_FOUND);
    } finally {
      stub.close();
    }
  });
});
