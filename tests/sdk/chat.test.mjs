// Channels through the unmodified SDK: what is kept, who may change and read it, and what comes of a kill -9.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { before, after, describe, test } from "node:test";
import { connect, connectOnShard, shardOf, signIn } from "./support/clients.mjs";
import { Server } from "./support/server.mjs";
import { onBothStores } from "./support/stores.mjs";

const ROOM = 1;
const DIRECT = 2;
const GROUP = 3;
const BAD_INPUT = 3;

const content = (message) => (typeof message.content === "string" ? JSON.parse(message.content) : message.content);
const refused = (promise, code, message) =>
  assert.rejects(promise, (error) => {
    assert.equal(error.message, message);
    assert.equal(error.code ?? 0, code);
    return true;
  });

/** What the request interface refuses: the SDK rejects with the response. */
async function refusedOverHttp(promise, status, code, message) {
  const response = await promise.then(
    () => assert.fail("was not refused"),
    (response) => response,
  );
  assert.equal(response.status, status);
  const body = await response.json();
  assert.deepEqual([body.code, body.message], [code, message]);
}

const list = (user, channel, limit, forward, cursor) =>
  user.client.listChannelMessages(user.session, channel, limit, forward, cursor);

onBothStores("chat", (context) => {
  let ann;
  let ben;

  before(async () => {
    ann = await connectOnShard(context.server, 0, { format: "json" });
    ben = await connectOnShard(context.server, 1, { format: "protobuf" });
    assert.deepEqual([shardOf(ann.self.session_id), shardOf(ben.self.session_id)], [0, 1]);
  });

  after(() => {
    ann?.socket.disconnect(false);
    ben?.socket.disconnect(false);
  });

  /** Both in one room, with an empty inbox. */
  async function room({ persistence = true } = {}) {
    const name = `room ${randomUUID()}`;
    const { id } = await ann.socket.joinChat(name, ROOM, persistence, false);
    await ben.socket.joinChat(name, ROOM, persistence, false);
    return { id, name };
  }

  for (const [writer, reader] of [
    ["ann, in JSON", "ben, in protobuf, on another shard"],
    ["ben", "ann"],
  ]) {
    test(`what ${writer}, writes, ${reader}, hears, and everybody reads later`, async () => {
      const [from, to] = writer === "ben" ? [ben, ann] : [ann, ben];
      const { id, name } = await room();
      const ack = await from.socket.writeChatMessage(id, { text: "hello" });
      assert.equal(ack.channel_id, id);
      assert.equal(ack.room_name, name);
      assert.equal(ack.persistent, true);
      assert.equal(ack.code ?? 0, 0);
      assert.equal(ack.username, from.session.username);
      assert.ok(ack.create_time && ack.update_time);
      for (const side of [from, to]) {
        const heard = await side.inbox.next("channel_message", (m) => m.channel_id === id);
        assert.equal(heard.message_id, ack.message_id);
        assert.equal(heard.sender_id, from.session.user_id);
        assert.equal(heard.username, from.session.username);
        assert.equal(heard.persistent, true);
        assert.equal(heard.room_name, name);
        assert.deepEqual(content(heard), { text: "hello" });
      }
      // Rooms are open: also to one who never joined it.
      const stranger = await signIn(context.server);
      for (const user of [from, to, stranger]) {
        const { messages, next_cursor, prev_cursor, cacheable_cursor } = await list(user, id, 10);
        assert.equal(messages.length, 1);
        const [kept] = messages;
        assert.equal(kept.message_id, ack.message_id);
        assert.equal(kept.channel_id, id);
        assert.equal(kept.sender_id, from.session.user_id);
        assert.equal(kept.username, from.session.username);
        assert.equal(kept.room_name, name);
        assert.equal(kept.persistent, true);
        assert.equal(kept.code ?? 0, 0);
        assert.equal(kept.create_time, kept.update_time);
        assert.deepEqual(content(kept), { text: "hello" });
        assert.deepEqual([next_cursor || "", prev_cursor || ""], ["", ""]);
        assert.ok(cacheable_cursor);
      }
    });
  }

  for (const format of ["json", "protobuf"]) {
    test(`what a client says in ${format} just before it closes is said`, async () => {
      const { id } = await room();
      const leaver = await connectOnShard(context.server, 1, { format });
      leaver.socket.joinChat(id.slice("2...".length), ROOM, true, false).catch(() => {});
      const texts = ["one", "two", "three", "four", "five"];
      for (const text of texts) leaver.socket.writeChatMessage(id, { text }).catch(() => {});
      leaver.socket.disconnect(false);
      for (const text of texts) await ann.inbox.next("channel_message", (m) => content(m).text === text);
      const { messages } = await list(ann, id, 100, true);
      assert.deepEqual(messages.map((message) => content(message).text), texts);
      // And then it is gone.
      await ann.inbox.next("channel_presence", (event) =>
        event.leaves?.some((left) => left.session_id === leaver.self.session_id),
      );
    });
  }

  test("updates and removals reach the others and the history", async () => {
    const { id } = await room();
    const sent = await ann.socket.writeChatMessage(id, { text: "helo" });
    const second = await ann.socket.writeChatMessage(id, { text: "second" });
    const updated = await ann.socket.updateChatMessage(id, sent.message_id, { text: "hello" });
    assert.equal(updated.message_id, sent.message_id);
    assert.equal(updated.code, 1);
    assert.equal(new Date(updated.create_time).getTime(), new Date(sent.create_time).getTime());
    assert.ok(new Date(updated.update_time) >= new Date(sent.create_time));
    const seen = await ben.inbox.next("channel_message", (m) => m.channel_id === id && m.code === 1);
    assert.deepEqual(content(seen), { text: "hello" });
    assert.equal(new Date(seen.create_time).getTime(), new Date(sent.create_time).getTime());
    let { messages } = await list(ben, id, 100);
    assert.deepEqual(messages.map(content), [{ text: "hello" }, { text: "second" }]);
    assert.notEqual(messages[0].create_time, messages[0].update_time);

    const removed = await ann.socket.removeChatMessage(id, sent.message_id);
    assert.equal(removed.code, 2);
    const gone = await ben.inbox.next("channel_message", (m) => m.channel_id === id && m.code === 2);
    assert.equal(gone.message_id, sent.message_id);
    assert.deepEqual(content(gone), {});
    ({ messages } = await list(ben, id, 100));
    assert.deepEqual(messages.map((m) => m.message_id), [second.message_id]);
  });

  test("nobody changes the messages of others, or what is not there", async () => {
    const { id } = await room();
    const elsewhere = await room();
    const sent = await ann.socket.writeChatMessage(id, { text: "mine" });
    const noUpdate = "Could not find message to update in channel history";
    const noRemove = "Could not find message to remove in channel history";
    await refused(ben.socket.updateChatMessage(id, sent.message_id, { text: "yours" }), BAD_INPUT, noUpdate);
    await refused(ben.socket.removeChatMessage(id, sent.message_id), BAD_INPUT, noRemove);
    await refused(ann.socket.updateChatMessage(id, randomUUID(), { text: "?" }), BAD_INPUT, noUpdate);
    await refused(ann.socket.removeChatMessage(id, randomUUID()), BAD_INPUT, noRemove);
    await refused(ann.socket.updateChatMessage(elsewhere.id, sent.message_id, { text: "?" }), BAD_INPUT, noUpdate);
    const { messages } = await list(ann, id, 100);
    assert.deepEqual(messages.map(content), [{ text: "mine" }]);
    await ben.inbox.none("channel_message", (m) => m.channel_id === id && (m.code ?? 0) !== 0);
  });

  test("a join without persistence leaves no trace, and its messages can still be changed live", async () => {
    const { id } = await room({ persistence: false });
    const sent = await ann.socket.writeChatMessage(id, { text: "now" });
    assert.equal(sent.persistent ?? false, false);
    const updated = await ann.socket.updateChatMessage(id, sent.message_id, { text: "then" });
    assert.equal(updated.persistent ?? false, false);
    const seen = await ben.inbox.next("channel_message", (m) => m.channel_id === id && m.code === 1);
    assert.deepEqual(content(seen), { text: "then" });
    await ann.socket.removeChatMessage(id, sent.message_id);
    await ben.inbox.next("channel_message", (m) => m.channel_id === id && m.code === 2);
    assert.deepEqual((await list(ann, id, 100)).messages ?? [], []);
    // The sender's own join decides, and the first one: only leaving ends it.
    await ben.socket.joinChat(sent.room_name, ROOM, true, false);
    assert.equal((await ben.socket.writeChatMessage(id, {})).persistent ?? false, false);
    await ben.socket.leaveChat(id);
    await ben.socket.joinChat(sent.room_name, ROOM, true, false);
    assert.equal((await ben.socket.writeChatMessage(id, { text: "kept" })).persistent, true);
    assert.deepEqual((await list(ann, id, 100)).messages.map(content), [{ text: "kept" }]);
  });

  test("a hidden member hears and speaks, and is not seen", async () => {
    const name = `room ${randomUUID()}`;
    const { id } = await ann.socket.joinChat(name, ROOM, true, false);
    await ben.socket.joinChat(name, ROOM, true, true);
    await ann.inbox.none("channel_presence", (e) => e.channel_id === id && e.joins?.some((p) => p.user_id === ben.session.user_id));
    const cat = await connect(await signIn(context.server));
    const joined = await cat.socket.joinChat(name, ROOM, true, false);
    assert.deepEqual(joined.presences.map((p) => p.user_id), [ann.session.user_id]);
    await ann.socket.writeChatMessage(id, { text: "heard" });
    await ben.inbox.next("channel_message", (m) => m.channel_id === id);
    await ben.socket.writeChatMessage(id, { text: "spoken" });
    await cat.inbox.next("channel_message", (m) => m.channel_id === id && m.sender_id === ben.session.user_id);
    cat.socket.disconnect(false);
  });

  test("errors of every envelope", async () => {
    const { id } = await room();
    for (const user of [ann, ben]) {
      const { socket } = user;
      const target = "Invalid channel target";
      await refused(socket.joinChat("", ROOM, true, false), BAD_INPUT, target);
      await refused(socket.joinChat("x".repeat(65), ROOM, true, false), BAD_INPUT, `Channel name is required and must be 1-64 chars: ${target}`);
      await refused(socket.joinChat("a\tb", ROOM, true, false), BAD_INPUT, `Channel name must not contain control chars: ${target}`);
      await refused(socket.joinChat("ben", DIRECT, true, false), BAD_INPUT, `Invalid user ID in direct message join: ${target}`);
      await refused(socket.joinChat(randomUUID(), DIRECT, true, false), BAD_INPUT, `User ID not found: ${target}`);
      await refused(socket.joinChat("ours", GROUP, true, false), BAD_INPUT, `Invalid group ID in group channel join: ${target}`);
      await refused(socket.joinChat(randomUUID(), GROUP, true, false), BAD_INPUT, `Group not found: ${target}`);
      await refused(socket.joinChat("x", 9, true, false), BAD_INPUT, "Invalid channel type");
      for (const wrong of ["", "lobby", "2.x..lobby", "2...", "3.ours..", "7...x"]) {
        await refused(socket.leaveChat(wrong), BAD_INPUT, "Invalid channel identifier");
        await refused(socket.writeChatMessage(wrong, {}), BAD_INPUT, "Invalid channel identifier");
        await refused(socket.updateChatMessage(wrong, randomUUID(), {}), BAD_INPUT, "Invalid channel identifier");
        await refused(socket.removeChatMessage(wrong, randomUUID()), BAD_INPUT, "Invalid channel identifier");
      }
      await refused(socket.updateChatMessage(id, "x", {}), BAD_INPUT, "Invalid message identifier");
      await refused(socket.removeChatMessage(id, "x"), BAD_INPUT, "Invalid message identifier");
      for (const wrong of [[], "text", 7, null]) {
        await refused(socket.writeChatMessage(id, wrong), BAD_INPUT, "Message content must be a valid JSON object");
        await refused(socket.updateChatMessage(id, randomUUID(), wrong), BAD_INPUT, "Message content must be a valid JSON object");
      }
      await refused(socket.writeChatMessage("2...elsewhere", {}), BAD_INPUT, "Must join channel before sending messages");
      await refused(socket.updateChatMessage("2...elsewhere", randomUUID(), {}), BAD_INPUT, "Must join channel before updating messages");
      await refused(socket.removeChatMessage("2...elsewhere", randomUUID()), BAD_INPUT, "Must join channel before removing messages");
      await socket.leaveChat("2...elsewhere");
    }
  });

  test("direct messages: an invitation, one id from both sides, and no third reader", async () => {
    const [cat, dan] = [await connect(await signIn(context.server)), await connect(await signIn(context.server), { format: "protobuf" })];
    const joined = await cat.socket.joinChat(dan.session.user_id, DIRECT, true, false);
    const ids = [cat.session.user_id, dan.session.user_id].sort();
    assert.equal(joined.id, `4.${ids[0]}.${ids[1]}.`);
    assert.deepEqual([joined.user_id_one, joined.user_id_two], ids);
    const told = await dan.inbox.next("notification", (n) => n.code === -1);
    assert.equal(told.subject, `${cat.session.username} wants to chat`);
    assert.equal(told.sender_id, cat.session.user_id);
    assert.deepEqual(content(told), { username: cat.session.username });
    const { notifications } = await dan.client.listNotifications(dan.session, 10);
    assert.deepEqual(notifications.map((n) => [n.id, n.code]), [[told.id, -1]]);

    const other = await dan.socket.joinChat(cat.session.user_id, DIRECT, true, false);
    assert.equal(other.id, joined.id);
    assert.deepEqual(other.presences.map((p) => p.user_id), [cat.session.user_id]);
    await cat.inbox.none("notification");
    await cat.socket.joinChat(dan.session.user_id, DIRECT, true, false);
    await dan.inbox.none("notification");

    const ack = await dan.socket.writeChatMessage(joined.id, { text: "psst" });
    assert.deepEqual([ack.user_id_one, ack.user_id_two], ids);
    const heard = await cat.inbox.next("channel_message");
    assert.deepEqual([heard.user_id_one, heard.user_id_two], ids);
    for (const user of [cat, dan]) {
      const { messages } = await list(user, joined.id, 10, false);
      assert.deepEqual(messages.map((m) => [m.user_id_one, m.user_id_two, content(m).text]), [[...ids, "psst"]]);
    }
    await refusedOverHttp(list(ann, joined.id, 10), 400, 3, "Channel not found.");
    cat.socket.disconnect(false);
    dan.socket.disconnect(false);
  });

  test("direct messages reach across shards, and end with a block", async () => {
    const joined = await ann.socket.joinChat(ben.session.user_id, DIRECT, true, false);
    const other = await ben.socket.joinChat(ann.session.user_id, DIRECT, true, false);
    assert.equal(other.id, joined.id);
    assert.deepEqual(other.presences.map((p) => p.session_id), [ann.self.session_id]);
    const seen = await ann.inbox.next("channel_presence", (e) => e.channel_id === joined.id && e.joins?.[0].user_id === ben.session.user_id);
    assert.deepEqual([seen.user_id_one, seen.user_id_two], [ann, ben].map((user) => user.session.user_id).sort());
    for (const [from, to] of [[ann, ben], [ben, ann]]) {
      await from.socket.writeChatMessage(joined.id, { from: from.session.user_id });
      const heard = await to.inbox.next("channel_message", (m) => m.channel_id === joined.id && m.sender_id === from.session.user_id);
      assert.deepEqual(content(heard), { from: from.session.user_id });
    }
    await ann.client.blockFriends(ann.session, [ben.session.user_id]);
    const notFound = "User ID not found: Invalid channel target";
    await refused(ben.socket.joinChat(ann.session.user_id, DIRECT, true, false), BAD_INPUT, notFound);
    await refused(ben.socket.writeChatMessage(joined.id, {}), BAD_INPUT, "Must join channel before sending messages");
    // Who blocks may still write, as in the reference; nobody is there to hear it.
    await ann.socket.joinChat(ben.session.user_id, DIRECT, true, false);
    await ann.client.deleteFriends(ann.session, [ben.session.user_id]);
    assert.equal((await ben.socket.joinChat(ann.session.user_id, DIRECT, true, false)).id, joined.id);
    for (const { socket } of [ann, ben]) await socket.leaveChat(joined.id);
    for (const { inbox } of [ann, ben]) inbox.clear();
  });

  test("a join without a type is one of a room", async () => {
    const name = `room ${randomUUID()}`;
    assert.equal((await ben.socket.joinChat(name, 0, true, false)).id, `2...${name}`);
    const joined = await ann.socket.joinChat(name, ROOM, true, false);
    assert.deepEqual(joined.presences.map((p) => p.user_id), [ben.session.user_id]);
    for (const { socket } of [ann, ben]) await socket.leaveChat(joined.id);
  });

  test("each session of a user is on a channel for itself, and is there once", async () => {
    const { id, name } = await room();
    const desk = await connect(ben, { format: "json" });
    const joined = await desk.socket.joinChat(name, ROOM, true, false);
    assert.equal(joined.presences.length, 2);
    const again = await desk.socket.joinChat(name, ROOM, true, false);
    assert.equal(again.presences.length, 3, "who is there already is listed");
    await ann.inbox.next("channel_presence", (e) => e.channel_id === id && e.joins?.some((p) => p.session_id === joined.self.session_id));
    await ann.inbox.none("channel_presence", (e) => e.channel_id === id && e.joins?.some((p) => p.session_id === joined.self.session_id));
    await desk.socket.leaveChat(id);
    await desk.socket.leaveChat(id);
    const left = await ann.inbox.next("channel_presence", (e) => e.channel_id === id && e.leaves?.length > 0);
    assert.deepEqual(left.leaves.map((p) => p.session_id), [joined.self.session_id]);
    await ann.inbox.none("channel_presence", (e) => e.channel_id === id && e.leaves?.length > 0);
    await ann.socket.writeChatMessage(id, { still: "here" });
    await ben.inbox.next("channel_message", (m) => m.channel_id === id);
    await desk.inbox.none("channel_message");
    desk.socket.disconnect(false);
  });

  test("a group's channel and history are its members'", async () => {
    const group = await ann.client.createGroup(ann.session, { name: `group-${randomUUID()}`, open: true });
    const id = `3.${group.id}..`;
    const joined = await ann.socket.joinChat(group.id, GROUP, true, false);
    assert.deepEqual([joined.id, joined.group_id], [id, group.id]);
    await ann.socket.writeChatMessage(id, { text: "inside" });
    await refused(ben.socket.joinChat(group.id, GROUP, true, false), BAD_INPUT, "Group not found: Invalid channel target");
    await refused(ben.socket.writeChatMessage(id, {}), BAD_INPUT, "Must join channel before sending messages");
    await refusedOverHttp(list(ben, id, 10), 400, 3, "Group not found.");
    await ben.client.joinGroup(ben.session, group.id);
    const other = await ben.socket.joinChat(group.id, GROUP, false, true);
    assert.deepEqual([other.presences.length, other.self.persistence ?? false], [1, false]);
    await ben.socket.writeChatMessage(id, { text: "not kept" });
    const heard = await ann.inbox.next("channel_message", (m) => m.channel_id === id && m.sender_id === ben.session.user_id && m.code === 0);
    assert.deepEqual([heard.group_id, heard.persistent ?? false], [group.id, false]);
    const { messages } = await list(ben, id, 10);
    assert.deepEqual(messages.map((m) => m.code), [0, 3]);
    await ann.client.deleteGroup(ann.session, group.id);
    await refused(ann.socket.writeChatMessage(id, {}), BAD_INPUT, "Must join channel before sending messages");
    await refused(ben.socket.joinChat(group.id, GROUP, true, false), BAD_INPUT, "Group not found: Invalid channel target");
  });

  test("with oneself one talks alone, and is not invited", async () => {
    const joined = await ann.socket.joinChat(ann.session.user_id, DIRECT, true, false);
    assert.equal(joined.id, `4.${ann.session.user_id}.${ann.session.user_id}.`);
    await ann.inbox.none("notification");
    await ann.socket.writeChatMessage(joined.id, { note: 1 });
    assert.equal((await list(ann, joined.id, 10)).messages.length, 1);
    await ann.socket.leaveChat(joined.id);
  });

  test("a history is walked forward and back by its cursors", async () => {
    const { id } = await room();
    const texts = Array.from({ length: 25 }, (_, n) => n);
    for (const n of texts) await (n % 3 === 0 ? ben : ann).socket.writeChatMessage(id, { n });
    const numbers = (page) => (page.messages ?? []).map((m) => content(m).n);
    for (const forward of [true, false]) {
      const expected = forward ? texts : texts.toReversed();
      const pages = [await list(ann, id, 7, forward)];
      while (pages.at(-1).next_cursor) pages.push(await list(ben, id, 7, forward, pages.at(-1).next_cursor));
      assert.deepEqual(pages.map((page) => page.messages.length), [7, 7, 7, 4]);
      assert.deepEqual(pages.flatMap(numbers), expected);
      assert.equal(pages[0].prev_cursor || "", "");
      const back = [pages.at(-1)];
      while (back.at(-1).prev_cursor) back.push(await list(ann, id, 7, forward, back.at(-1).prev_cursor));
      assert.deepEqual(back.toReversed().flatMap(numbers), expected);
      assert.deepEqual(numbers(await list(ann, id, 7, forward, back.at(-1).next_cursor || pages[0].next_cursor)), expected.slice(7, 14));
      await refusedOverHttp(list(ann, id, 7, !forward, pages[0].next_cursor), 400, 3, "Cursor is invalid or expired.");
    }
    // What has come since: the cacheable cursor of a page leads forward, also where it was read backward.
    const newest = await list(ann, id, 1, false);
    assert.deepEqual(numbers(newest), [24]);
    const none = await list(ann, id, 10, true, newest.cacheable_cursor);
    assert.deepEqual(numbers(none), []);
    await ann.socket.writeChatMessage(id, { n: 25 });
    const since = await list(ann, id, 10, true, none.cacheable_cursor);
    assert.deepEqual(numbers(since), [25]);
    assert.deepEqual(numbers(await list(ann, id, 10, true, since.cacheable_cursor)), []);
    // A page is one message long and leads forward unless it is asked otherwise.
    assert.deepEqual(numbers(await list(ann, id)), [0]);
    assert.deepEqual(numbers(await list(ann, id, 100)), [...texts, 25]);
  });

  test("what is wrong with a listing is told as the protocol does", async () => {
    const { id } = await room();
    for (const limit of [-1, 0, 101]) {
      await refusedOverHttp(list(ann, id, limit), 400, 3, "Invalid limit - limit must be between 1 and 100.");
    }
    for (const wrong of ["lobby", "2...", "6.x..", "3.ours.."]) {
      await refusedOverHttp(list(ann, wrong, 1), 400, 3, "Invalid channel ID.");
    }
    await refusedOverHttp(list(ann, `3.${randomUUID()}..`, 1), 400, 3, "Group not found.");
    await refusedOverHttp(list(ann, `4.${randomUUID()}.${randomUUID()}.`, 1), 400, 3, "Channel not found.");
    for (const cursor of ["nonsense", "AAAA", "%00"]) {
      await refusedOverHttp(list(ann, id, 1, true, cursor), 400, 3, "Cursor is invalid or expired.");
    }
    const one = await room();
    const two = await room();
    for (let n = 0; n < 2; n += 1) await ann.socket.writeChatMessage(one.id, { n });
    const { next_cursor } = await list(ann, one.id, 1);
    await refusedOverHttp(list(ann, two.id, 1, true, next_cursor), 400, 3, "Cursor is invalid or expired.");
    const empty = await list(ann, two.id, 1);
    assert.deepEqual([empty.messages ?? [], empty.next_cursor || "", empty.cacheable_cursor || ""], [[], "", ""]);
  });

  test("a sender's messages are kept and heard in its order, however many write", async () => {
    const { id, name } = await room();
    const count = 40;
    const writers = [ann, ben, await connect(await signIn(context.server)), await connect(await signIn(context.server), { format: "protobuf" })];
    for (const { socket } of writers.slice(2)) await socket.joinChat(name, ROOM, true, false);
    // Each writes without waiting for its answers.
    await Promise.all(writers.flatMap(({ socket }) => Array.from({ length: count }, (_, n) => socket.writeChatMessage(id, { n }))));
    const expected = Array.from({ length: count }, (_, n) => n);
    const heard = [];
    for (let n = 0; n < count * writers.length; n += 1) heard.push(await ann.inbox.next("channel_message", (m) => m.channel_id === id));
    const kept = [];
    for (let cursor; cursor !== ""; ) {
      const page = await list(ann, id, 100, true, cursor);
      kept.push(...page.messages);
      cursor = page.next_cursor || "";
    }
    assert.equal(kept.length, count * writers.length);
    for (const { session } of writers) {
      for (const all of [heard, kept]) {
        assert.deepEqual(all.filter((m) => m.sender_id === session.user_id).map((m) => content(m).n), expected);
      }
    }
    for (const { socket } of writers.slice(2)) socket.disconnect(false);
  });
});

describe("limits of chat", () => {
  let server;
  before(async () => {
    server = await Server.start({ shards: 2, flags: { "session.max_streams": 4, "socket.max_message_size_bytes": 1024 } });
  });
  after(() => server?.stop());

  for (const format of ["json", "protobuf"]) {
    test(`a session joins so many channels and no more, in ${format}`, async () => {
      const user = await connect(await signIn(server), { format });
      let channels = [];
      let failure;
      while (!failure && channels.length < 10) {
        await user.socket.joinChat(`room ${channels.length}`, ROOM, true, false).then(
          (channel) => channels.push(channel),
          (error) => (failure = error),
        );
      }
      assert.equal(failure.code ?? 0, 0);
      assert.match(failure.message, /^Error joining channel: The session has joined too many streams/);
      // Its own streams, where notices and its status arrive, count as well.
      assert.ok(channels.length > 0 && channels.length <= 4, `${channels.length} channels`);
      await user.socket.leaveChat(channels[0].id);
      await user.socket.joinChat("another", ROOM, true, false);
      user.socket.disconnect(false);
    });

    test(`a message that is too long costs the session, in ${format}`, async () => {
      const user = await connect(await signIn(server), { format });
      const { id } = await user.socket.joinChat("lobby", ROOM, true, false);
      await user.socket.writeChatMessage(id, { text: "x".repeat(500) });
      user.socket.writeChatMessage(id, { text: "x".repeat(1024) }).catch(() => {});
      const closed = await user.inbox.next("disconnect");
      assert.equal(closed.code, 1009);
      const { messages } = await list(user, id, 10);
      assert.equal(messages.filter((m) => m.sender_id === user.session.user_id).length, 1);
    });
  }
});

onBothStores("chat and kill -9", (context) => {
  test("every acknowledged message is in the history afterwards", async () => {
    const users = [];
    for (let n = 0; n < 6; n += 1) {
      const user = await connect(await signIn(context.server), { format: n % 2 ? "json" : "protobuf" });
      users.push(user);
    }
    const acknowledged = new Set();
    let id;
    let killed = false;
    let tell;
    const atTheKill = new Promise((done) => (tell = done));
    const writing = users.map(async ({ socket }, writer) => {
      ({ id } = await socket.joinChat("battle", ROOM, true, false));
      for (let n = 0; !killed; n += 1) {
        // The last one is never answered.
        const answer = socket.writeChatMessage(id, { writer, n }).catch(() => undefined);
        const ack = await Promise.race([answer, atTheKill]);
        if (ack) acknowledged.add(ack.message_id);
      }
    });
    while (acknowledged.size < 60) await new Promise((done) => setTimeout(done, 5));
    const gone = context.server.kill();
    killed = true;
    tell();
    await gone;
    await Promise.all(writing);
    const before = acknowledged.size;
    await context.server.up();
    const reader = await signIn(context.server);
    const kept = new Set();
    for (let cursor; cursor !== ""; ) {
      const page = await list(reader, id, 100, true, cursor);
      page.messages.forEach((m) => kept.add(m.message_id));
      cursor = page.next_cursor || "";
    }
    const lost = [...acknowledged].filter((message) => !kept.has(message));
    assert.deepEqual(lost, [], `of ${before} acknowledged messages`);
  });
});
