// Friends: asked, accepted, blocked and listed by unmodified clients, and told live.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";
import { connect, connectOnShard, signIn } from "./support/clients.mjs";
import { onBothStores } from "./support/stores.mjs";

const [FRIEND, ASKED, INVITED, BLOCKED] = [0, 1, 2, 3];
const [REQUEST, ACCEPT, REMOVE] = [-2, -3, -9];
const DIRECT = 2;

const protoDir = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../proto/proto");
const parsed = (content) => (typeof content === "string" ? JSON.parse(content) : content);
const person = (server) => signIn(server, `user-${randomUUID().slice(0, 13)}`);
const add = (by, ...whom) => by.client.addFriends(by.session, whom.map((who) => who.session.user_id));
const drop = (by, ...whom) => by.client.deleteFriends(by.session, whom.map((who) => who.session.user_id));
const block = (by, ...whom) => by.client.blockFriends(by.session, whom.map((who) => who.session.user_id));
const status = (promise) => promise.then(() => 200, (response) => response.status);

/** Ids and states of somebody's friends. */
async function friends(of, ...filter) {
  const page = await of.client.listFriends(of.session, ...filter);
  return (page.friends ?? []).map((friend) => [friend.user.id, friend.state]);
}

const edges = async (of) => (await of.client.getAccount(of.session)).user.edge_count ?? 0;

onBothStores("friends", (context) => {
  for (const format of ["json", "protobuf"]) {
    test(`ask, accept and part, and are told on any shard (${format})`, async () => {
      const ann = await connectOnShard(context.server, 0, { format });
      const bob = await connectOnShard(context.server, 1, { format });
      await add(ann, bob);
      const asked = await bob.inbox.next("notification");
      assert.equal(asked.code, REQUEST);
      assert.equal(asked.sender_id, ann.session.user_id);
      assert.equal(asked.subject, `${ann.session.username} wants to add you as a friend`);
      assert.deepEqual(parsed(asked.content), { username: ann.session.username });
      assert.deepEqual(await friends(ann), [[bob.session.user_id, ASKED]]);
      assert.deepEqual(await friends(bob), [[ann.session.user_id, INVITED]]);

      await bob.client.addFriends(bob.session, [], [ann.session.username]);
      assert.equal((await ann.inbox.next("notification")).code, ACCEPT);
      const [friend] = (await ann.client.listFriends(ann.session, FRIEND)).friends;
      assert.equal(friend.user.online, true);
      assert.equal(friend.user.username, bob.session.username);
      assert.deepEqual([await edges(ann), await edges(bob)], [1, 1]);

      await drop(ann, bob);
      assert.equal((await bob.inbox.next("notification")).code, REMOVE);
      assert.deepEqual([await friends(ann), await friends(bob)], [[], []]);
      assert.deepEqual([await edges(ann), await edges(bob)], [0, 0]);
      for (const user of [ann, bob]) user.socket.disconnect(false);
    });
  }

  test("a block ends the friendship and the talk, and keeps the blocked away", async () => {
    const ann = await connect(await person(context.server));
    const bob = await connect(await person(context.server));
    await add(ann, bob);
    await add(bob, ann);
    const channel = await ann.socket.joinChat(bob.session.user_id, DIRECT, false, false);
    await bob.socket.joinChat(ann.session.user_id, DIRECT, false, false);
    await block(ann, bob);
    assert.deepEqual(await friends(ann), [[bob.session.user_id, BLOCKED]]);
    assert.deepEqual(await friends(bob), []);
    await assert.rejects(bob.socket.writeChatMessage(channel.id, { are: "you there?" }));
    await add(bob, ann);
    assert.deepEqual(await friends(ann), [[bob.session.user_id, BLOCKED]]);
    await drop(ann, bob);
    await add(bob, ann);
    assert.deepEqual(await friends(ann), [[bob.session.user_id, INVITED]]);
    for (const user of [ann, bob]) user.socket.disconnect(false);
  });

  test("are listed page by page, and so are theirs", async () => {
    const [ann, bob] = [await person(context.server), await person(context.server)];
    const others = await Promise.all(Array.from({ length: 5 }, () => person(context.server)));
    await add(ann, bob);
    await add(bob, ann, ...others);
    await Promise.all(others.map((other) => add(other, bob)));
    const seen = [];
    let cursor;
    do {
      const page = await bob.client.listFriends(bob.session, undefined, 2, cursor);
      seen.push(...page.friends.map((friend) => friend.user.id));
      cursor = page.cursor;
    } while (cursor);
    assert.equal(seen.length, 6);
    assert.deepEqual(new Set(seen), new Set([ann, ...others].map((one) => one.session.user_id)));

    const theirs = [];
    do {
      const page = await ann.client.listFriendsOfFriends(ann.session, 2, cursor);
      for (const one of page.friends_of_friends) {
        assert.equal(one.referrer, bob.session.user_id);
        theirs.push(one.user.id);
      }
      cursor = page.cursor;
    } while (cursor);
    assert.deepEqual(theirs.sort(), others.map((one) => one.session.user_id).sort());
  });

  test("many at once leave no count behind and no conflict in the way", async () => {
    const people = await Promise.all(Array.from({ length: 6 }, () => person(context.server)));
    const storm = people.flatMap((one, n) =>
      Array.from({ length: 6 }, async (_, round) => {
        const whom = people.filter((_, other) => other !== n && (other + round) % 2);
        await [add, add, drop, block, drop, add][(n + round) % 6](one, ...whom);
      }),
    );
    await Promise.all(storm);
    for (const one of people) assert.equal(await edges(one), (await friends(one)).length);
  });

  test("who is named wrongly is refused", async () => {
    const ann = await person(context.server);
    assert.equal(await status(add(ann, ann)), 400);
    assert.equal(await status(block(ann, ann)), 400);
    assert.equal(await status(drop(ann, ann)), 400);
    assert.equal(await status(ann.client.addFriends(ann.session, ["what"])), 400);
    assert.equal(await status(ann.client.addFriends(ann.session, [], ["nobody at all"])), 400);
    assert.equal(await status(ann.client.listFriends(ann.session, 4)), 400);
    assert.equal(await status(ann.client.listFriends(ann.session, FRIEND, 1001)), 400);
    assert.equal(await status(ann.client.listFriends(ann.session, FRIEND, 10, "what")), 400);
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
      await call(ann, "AddFriends", { ids: [bob.session.user_id], metadata: '{"met":"here"}' });
      const list = await call(ann, "ListFriends", { state: { value: ASKED } });
      assert.equal(list.friends[0].user.id, bob.session.user_id);
      assert.deepEqual(list.friends[0].state, { value: ASKED });
      assert.deepEqual(JSON.parse(list.friends[0].metadata), { met: "here" });
      await call(bob, "BlockFriends", { usernames: [ann.session.username] });
      assert.deepEqual((await call(ann, "ListFriends", {})).friends, []);
      await call(bob, "DeleteFriends", { ids: [ann.session.user_id] });
      assert.deepEqual((await call(bob, "ListFriendsOfFriends", {})).friends_of_friends, []);
      const code = (promise) => promise.then(() => 0, (error) => error.code);
      assert.equal(await code(call(ann, "AddFriends", { ids: [ann.session.user_id] })), grpc.status.INVALID_ARGUMENT);
      assert.equal(await code(call(ann, "ImportSteamFriends", {})), grpc.status.UNIMPLEMENTED);
    } finally {
      stub.close();
    }
  });
});
