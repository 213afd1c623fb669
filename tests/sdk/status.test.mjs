// Online status: who follows whom, what they see, and what is refused.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { connect, connectOnShard, signIn } from "./support/clients.mjs";
import { onBothStores } from "./support/stores.mjs";
import { freePorts } from "./support/ports.mjs";
import { Server } from "./support/server.mjs";

const name = () => `user-${randomUUID().slice(0, 13)}`;
const ids = (status) => (status.presences ?? []).map((presence) => presence.user_id).sort();
const joinsOf = (user) => (event) => event.joins?.some((one) => one.user_id === user.session.user_id);
const leavesOf = (user) => (event) => event.leaves?.some((one) => one.user_id === user.session.user_id);

onBothStores("status", (context) => {
  for (const [mine, theirs] of [["json", "protobuf"], ["protobuf", "json"]]) {
    describe(`${mine} follows ${theirs} on another shard`, () => {
      let ann;
      let bob;
      before(async () => {
        ann = await connectOnShard(context.server, 0, { format: mine });
        bob = await connectOnShard(context.server, 1, { format: theirs });
      });
      after(() => [ann, bob].forEach((user) => user?.socket.disconnect(false)));

      test("a snapshot has the status, and changes follow", async () => {
        await bob.socket.updateStatus("in the lobby");
        const status = await ann.socket.followUsers([bob.session.user_id]);
        assert.equal(status.presences.length, 1);
        assert.equal(status.presences[0].status, "in the lobby");
        assert.equal(status.presences[0].username, bob.session.username);
        await bob.socket.updateStatus("in a match");
        const event = await ann.inbox.next("status_presence", joinsOf(bob));
        assert.equal(event.joins[0].status, "in a match");
        assert.equal(event.leaves[0].status, "in the lobby");
      });

      test("who appears offline is in no snapshot, and leaves", async () => {
        await bob.socket.updateStatus();
        await ann.inbox.next("status_presence", (event) => leavesOf(bob)(event) && !joinsOf(bob)(event));
        assert.deepEqual(ids(await ann.socket.followUsers([bob.session.user_id])), []);
        const seen = await ann.client.getUsers(ann.session, [bob.session.user_id]);
        assert.ok(!seen.users[0].online);
        await bob.socket.updateStatus("back");
        assert.equal((await ann.inbox.next("status_presence", joinsOf(bob))).joins[0].status, "back");
        assert.equal((await ann.client.getUsers(ann.session, [bob.session.user_id])).users[0].online, true);
      });

      test("nothing comes after an unfollow", async () => {
        await ann.socket.unfollowUsers([bob.session.user_id]);
        await bob.socket.updateStatus("unseen");
        await ann.inbox.none("status_presence", joinsOf(bob));
      });
    });
  }

  test("a session that connects without status is offline until it has one", async () => {
    const ann = await connect(await signIn(context.server));
    const bob = await connect(await signIn(context.server), { status: false });
    assert.deepEqual(ids(await ann.socket.followUsers([bob.session.user_id])), []);
    await bob.socket.updateStatus("");
    const event = await ann.inbox.next("status_presence", joinsOf(bob));
    assert.equal(event.joins[0].status, "");
    for (const user of [ann, bob]) user.socket.disconnect(false);
  });

  test("each session of a user is a presence of its own", async () => {
    const ann = await connect(await signIn(context.server));
    const signedIn = await signIn(context.server);
    const [phone, desk] = [await connect(signedIn), await connect(signedIn, { format: "protobuf" })];
    await phone.socket.updateStatus("phone");
    await desk.socket.updateStatus("desk");
    const status = await ann.socket.followUsers([signedIn.session.user_id]);
    assert.deepEqual(status.presences.map((one) => one.status).sort(), ["desk", "phone"]);
    phone.socket.disconnect(false);
    const event = await ann.inbox.next("status_presence", (one) => one.leaves?.length > 0);
    assert.deepEqual(event.leaves.map((one) => one.status), ["phone"]);
    for (const user of [ann, desk]) user.socket.disconnect(false);
  });

  test("users are followed by id and by name together, each once; unknown ones and oneself are passed over", async () => {
    const ann = await connect(await signIn(context.server, name()));
    const [bob, cat] = [await connect(await signIn(context.server, name())), await connect(await signIn(context.server, name()))];
    const me = ann.session;
    const reply = await ann.socket.send({
      status_follow: {
        user_ids: [bob.session.user_id, randomUUID(), me.user_id, bob.session.user_id],
        usernames: [cat.session.username, "nobody-has-this-name", me.username, bob.session.username],
      },
    });
    assert.deepEqual(ids(reply.status), [bob.session.user_id, cat.session.user_id].sort());
    cat.socket.disconnect(false);
    await ann.inbox.next("status_presence", leavesOf(cat));
    await bob.socket.updateStatus("once");
    assert.equal((await ann.inbox.next("status_presence", joinsOf(bob))).joins.length, 1);
    for (const user of [ann, bob]) user.socket.disconnect(false);
  });
});

describe("what status refuses", () => {
  let server;
  let metricsPort;
  before(async () => {
    metricsPort = await freePorts(1);
    const flags = { "session.max_status_follows": 3, "metrics.prometheus_port": metricsPort };
    server = await Server.start({ shards: 2, flags });
  });
  after(() => server?.stop());

  const joinsRefused = async () => {
    const text = await (await fetch(`http://127.0.0.1:${metricsPort}/`)).text();
    const lines = text.split("\n").filter((line) => /^\w*stream_joins_refused\{/.test(line));
    assert.equal(lines.length, 2, "one for each shard");
    return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
  };

  const refused = (code, message) => (error) => {
    assert.equal(error.code ?? 0, code);
    assert.match(error.message, message);
    return true;
  };

  for (const format of ["json", "protobuf"]) {
    test(`bad names, long texts, too many follows (${format})`, async () => {
      const ann = await connect(await signIn(server), { format });
      await assert.rejects(ann.socket.followUsers(["me"]), refused(3, /^Invalid user identifier$/));
      await assert.rejects(ann.socket.unfollowUsers(["me"]), refused(3, /^Invalid user identifier$/));
      await assert.rejects(ann.socket.send({ status_follow: { user_ids: [], usernames: [""] } }), refused(3, /^Invalid username$/));
      await assert.rejects(ann.socket.updateStatus("x".repeat(2049)), refused(3, /^Status must be 2048 characters or less$/));
      await ann.socket.updateStatus("x".repeat(2048));
      assert.deepEqual(ids(await ann.socket.followUsers([])), []);

      const others = [];
      for (let n = 0; n < 4; n += 1) others.push(await connect(await signIn(server)));
      const wanted = others.map((user) => user.session.user_id);
      await assert.rejects(ann.socket.followUsers(wanted), refused(0, /too many users/));
      await others[0].socket.updateStatus("nobody follows");
      await ann.inbox.none("status_presence", joinsOf(others[0]));
      assert.equal(ids(await ann.socket.followUsers(wanted.slice(0, 3))).length, 3);
      assert.equal(ids(await ann.socket.followUsers(wanted.slice(0, 2))).length, 2, "those that are followed already cost nothing");
      await assert.rejects(ann.socket.followUsers(wanted.slice(3)), refused(0, /too many users/));
      assert.ok((await joinsRefused()) >= 2);
      await ann.socket.unfollowUsers(wanted.slice(0, 1));
      assert.equal(ids(await ann.socket.followUsers(wanted.slice(3))).length, 1);
      for (const user of [ann, ...others]) user.socket.disconnect(false);
    });
  }
});
