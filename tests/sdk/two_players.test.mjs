// The main job: two unchanged SDK clients, one speaking JSON and one protobuf, on different shards.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { connectOnShard, shardOf, signIn, connect } from "./support/clients.mjs";
import { Server } from "./support/server.mjs";

const ROOM = 1;

describe("two players on different shards", () => {
  let server;
  let ann;
  let ben;

  before(async () => {
    server = await Server.start({ shards: 2 });
    ann = await connectOnShard(server, 0, { format: "json" });
    ben = await connectOnShard(server, 1, { format: "protobuf" });
  });

  after(async () => {
    ann?.socket.disconnect(false);
    ben?.socket.disconnect(false);
    await server?.stop();
  });

  test("their sessions live on different shards", () => {
    assert.equal(shardOf(ann.self.session_id), 0);
    assert.equal(shardOf(ben.self.session_id), 1);
  });

  test("they chat in a room and see each other come and go", async () => {
    const joined = await ann.socket.joinChat("lobby", ROOM, false, false);
    assert.equal(joined.room_name, "lobby");
    assert.equal(joined.self.user_id, ann.session.user_id);
    assert.deepEqual(joined.presences ?? [], [], "a join reply leaves oneself out");

    const second = await ben.socket.joinChat("lobby", ROOM, false, false);
    assert.equal(second.id, joined.id);
    assert.deepEqual((second.presences ?? []).map((p) => p.user_id), [ann.session.user_id]);

    const seen = await ann.inbox.next("channel_presence", (e) => e.joins?.some((p) => p.user_id === ben.session.user_id));
    assert.equal(seen.channel_id, joined.id);

    const ack = await ann.socket.writeChatMessage(joined.id, { text: "hello" });
    const heard = await ben.inbox.next("channel_message");
    assert.equal(heard.message_id, ack.message_id);
    assert.equal(heard.sender_id, ann.session.user_id);
    assert.deepEqual(typeof heard.content === "string" ? JSON.parse(heard.content) : heard.content, { text: "hello" });
    const own = await ann.inbox.next("channel_message");
    assert.equal(own.message_id, ack.message_id, "the sender hears the message too");

    await ben.socket.writeChatMessage(joined.id, { text: "hi" });
    const answer = await ann.inbox.next("channel_message");
    assert.equal(answer.username, ben.session.username);

    await ben.socket.leaveChat(joined.id);
    const left = await ann.inbox.next("channel_presence", (e) => e.leaves?.length > 0);
    assert.equal(left.leaves[0].user_id, ben.session.user_id);
  });

  test("a message to a room that one did not join is refused", async () => {
    await assert.rejects(ann.socket.writeChatMessage("2...elsewhere", { text: "x" }), (error) => error.code === 3);
  });

  test("they exchange match data", async () => {
    const match = await ann.socket.createMatch();
    const joined = await ben.socket.joinMatch(match.match_id);
    assert.equal(joined.match_id, match.match_id);
    assert.deepEqual(joined.presences.map((p) => p.user_id), [ann.session.user_id]);
    // A creator is told of its own join too.
    const event = await ann.inbox.next("match_presence", (e) => e.joins?.some((p) => p.user_id === ben.session.user_id));
    assert.equal(event.joins.length, 1);

    await ann.socket.sendMatchState(match.match_id, 7, new TextEncoder().encode("from ann"));
    const first = await ben.inbox.next("match_data");
    assert.equal(Number(first.op_code), 7);
    assert.equal(new TextDecoder().decode(first.data), "from ann");
    assert.equal(first.presence.user_id, ann.session.user_id);

    await ben.socket.sendMatchState(match.match_id, 8, new TextEncoder().encode("from ben"), [event.joins[0], { ...ann.self }]);
    const second = await ann.inbox.next("match_data");
    assert.equal(new TextDecoder().decode(second.data), "from ben");

    await ben.socket.leaveMatch(match.match_id);
    const left = await ann.inbox.next("match_presence", (e) => e.leaves?.length > 0);
    assert.equal(left.leaves[0].user_id, ben.session.user_id);
    await ann.socket.leaveMatch(match.match_id);
  });

  test("joining a match that does not exist is an error with code 4", async () => {
    await assert.rejects(ben.socket.joinMatch("7f2e6a36-6f0f-4b8e-9f27-1d6f7c3d2a11."), (error) => error.code === 4);
  });

  test("a follower sees status changes", async () => {
    const status = await ben.socket.followUsers([ann.session.user_id]);
    assert.deepEqual((status.presences ?? []).map((p) => p.user_id), [ann.session.user_id]);
    await ann.socket.updateStatus("in the lobby");
    const event = await ben.inbox.next("status_presence", (e) => e.joins?.some((p) => p.status === "in the lobby"));
    assert.equal(event.joins[0].user_id, ann.session.user_id);
    await ben.socket.unfollowUsers([ann.session.user_id]);
    await ann.socket.updateStatus("unseen");
    // One's own status goes on being told.
    await ben.inbox.none("status_presence", (e) => e.joins?.some((p) => p.user_id === ann.session.user_id));
  });

  test("following by username finds the user", async () => {
    const cat = await connect(await signIn(server, "cat.the.third"));
    const reply = await ben.socket.send({ status_follow: { usernames: ["cat.the.third"] } });
    assert.deepEqual(reply.status.presences.map((p) => p.user_id), [cat.session.user_id]);
    cat.socket.disconnect(false);
    const gone = await ben.inbox.next("status_presence", (e) => e.leaves?.length > 0);
    assert.equal(gone.leaves[0].user_id, cat.session.user_id);
  });

  test("a player whose connection drops leaves the room", async () => {
    const dan = await connect(await signIn(server), { format: "protobuf" });
    const room = await ann.socket.joinChat("exit", ROOM, false, false);
    await dan.socket.joinChat("exit", ROOM, false, false);
    await ann.inbox.next("channel_presence", (e) => e.channel_id === room.id && e.joins?.length > 0);
    dan.socket.disconnect(false);
    const left = await ann.inbox.next("channel_presence", (e) => e.channel_id === room.id && e.leaves?.length > 0);
    assert.equal(left.leaves[0].user_id, dan.session.user_id);
  });
});
