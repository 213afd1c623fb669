// Parties with the unmodified SDK: every envelope, its errors, and members on different shards.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { connect, connectOnShard, shardOf, signIn } from "./support/clients.mjs";
import { metric, startWithMetrics } from "./support/metrics.mjs";
import { eventually, refused, replied } from "./support/refusals.mjs";

const NAMES = { json: "JSON", schema: "protobuf" };
const bytes = (text) => new TextEncoder().encode(text);
const ids = (presences) => (presences ?? []).map((presence) => presence.session_id);
const sendData = (user, party_id) => replied(user.socket, { party_data_send: { party_id, op_code: 1, data: bytes("x") } });
const update = (user, party_update) => replied(user.socket, { party_update });
const shown = (user) => ({ user_id: user.session.user_id, session_id: user.self.session_id, username: user.session.username });

for (const [leading, following] of [["json", "schema"], ["schema", "json"]]) {
  describe(`a party whose leader speaks ${NAMES[leading]} and whose members speak ${NAMES[following]}`, () => {
    let server;
    let ann;
    let ben;
    let cat;

    before(async () => {
      server = await startWithMetrics();
      ann = await connectOnShard(server, 0, { format: leading });
      ben = await connectOnShard(server, 1, { format: following });
      cat = await connectOnShard(server, 0, { format: following });
      assert.deepEqual([ann, ben, cat].map((user) => shardOf(user.self.session_id)), [0, 1, 0]);
    });

    after(async () => {
      for (const user of [ann, ben, cat]) user?.socket.disconnect(false);
      await server?.stop();
    });

    // What an earlier test left behind is for nobody.
    beforeEach(() => {
      for (const user of [ann, ben, cat]) user.inbox.clear();
    });

    async function create(open, size = 4) {
      const party = await ann.socket.createParty(open, size);
      await ann.inbox.next("party_presence", (event) => event.party_id === party.party_id);
      return party;
    }

    async function join(user, party) {
      await user.socket.joinParty(party.party_id);
      const told = await user.inbox.next("party", (event) => event.party_id === party.party_id);
      for (const member of [ann, user]) {
        const joins = (event) => event.party_id === party.party_id && ids(event.joins).includes(user.self.session_id);
        await member.inbox.next("party_presence", joins);
      }
      return told;
    }

    test("its creator leads it, and its id tells its home", async () => {
      const party = await create(true, 5);
      assert.equal(party.open, true);
      assert.equal(party.max_size, 5);
      assert.deepEqual(ids(party.presences), [ann.self.session_id]);
      assert.equal(party.leader.session_id, ann.self.session_id);
      assert.equal(party.self.user_id, ann.session.user_id);
      const [id, node] = party.party_id.split(".");
      assert.equal(shardOf(id), 0);
      assert.equal(node, "test");
      await ann.socket.closeParty(party.party_id);
      await refused(ann.socket.createParty(true, -1), "Invalid party max size, must be 1-256");
      await refused(ann.socket.createParty(true, 257), "Invalid party max size, must be 1-256");
    });

    test("it takes in who comes while it is open", async () => {
      const party = await create(true, 2);
      const told = await join(ben, party);
      assert.deepEqual(ids(told.presences), [ann.self.session_id, ben.self.session_id]);
      assert.equal(told.leader.session_id, ann.self.session_id);
      assert.equal(told.self.session_id, ben.self.session_id);
      assert.equal(told.open, true);
      assert.equal(told.max_size, 2);
      await refused(cat.socket.joinParty(party.party_id), "Error joining party: party full");
      await ann.socket.closeParty(party.party_id);
    });

    test("it asks its leader while it is closed", async () => {
      const party = await create(false, 3);
      const id = party.party_id;
      await ben.socket.joinParty(id);
      const asked = await ann.inbox.next("party_join_request", (event) => event.party_id === id);
      assert.deepEqual(ids(asked.presences), [ben.self.session_id]);
      await refused(ben.socket.joinParty(id), "Error joining party: party join request duplicate");
      await cat.socket.joinParty(id);
      const list = await ann.socket.listPartyJoinRequests(id);
      assert.equal(list.party_id, id);
      assert.deepEqual(ids(list.presences), [ben.self.session_id, cat.self.session_id]);
      await refused(ben.socket.listPartyJoinRequests(id), "Error listing party join requests: party leader only");
      await refused(ben.socket.acceptPartyMember(id, shown(ben)), "Error accepting party join request: party leader only");

      await ann.socket.acceptPartyMember(id, asked.presences[0]);
      const told = await ben.inbox.next("party", (event) => event.party_id === id);
      assert.deepEqual(ids(told.presences), [ann.self.session_id, ben.self.session_id]);
      await refused(ann.socket.acceptPartyMember(id, shown(ben)), "Error accepting party join request: party join request not found");
      await refused(ann.socket.joinParty(id), "Error joining party: party join request already member");

      await ann.socket.removePartyMember(id, shown(cat));
      assert.deepEqual(ids((await ann.socket.listPartyJoinRequests(id)).presences), []);
      await ann.socket.closeParty(id);
    });

    test("as many may ask as may be in it", async () => {
      const party = await create(false, 1);
      await refused(ben.socket.joinParty(party.party_id), "Error joining party: party full");
      await ann.socket.closeParty(party.party_id);
      const wider = await create(false, 2);
      await ben.socket.joinParty(wider.party_id);
      await cat.socket.joinParty(wider.party_id);
      const dan = await connect(await signIn(server));
      await refused(dan.socket.joinParty(wider.party_id), "Error joining party: party join requests full");
      dan.socket.disconnect(false);
      await ann.socket.closeParty(wider.party_id);
    });

    test("who went away is not taken in", async () => {
      const party = await create(false, 2);
      const dan = await connect(await signIn(server), { format: following });
      await dan.socket.joinParty(party.party_id);
      const asked = await ann.inbox.next("party_join_request");
      dan.socket.disconnect(false);
      const follow = await ann.socket.followUsers([dan.session.user_id]);
      if ((follow.presences ?? []).length > 0) await ann.inbox.next("status_presence", (event) => event.leaves?.length > 0);
      await refused(
        ann.socket.acceptPartyMember(party.party_id, asked.presences[0]),
        "Error accepting party join request: party could not accept request",
      );
      await ann.socket.closeParty(party.party_id);
    });

    test("its leader promotes a member, who then leads", async () => {
      const party = await create(true);
      const id = party.party_id;
      await join(ben, party);
      await refused(ben.socket.promotePartyMember(id, shown(ben)), "Error promoting new party leader: party leader only");
      await refused(ann.socket.promotePartyMember(id, shown(cat)), "Error promoting new party leader: party member not found");
      await refused(ann.socket.promotePartyMember(id, { user_id: "x" }), "Invalid presence");
      await ann.socket.promotePartyMember(id, shown(ben));
      for (const user of [ann, ben]) {
        const told = await user.inbox.next("party_leader");
        assert.equal(told.presence.session_id, ben.self.session_id);
      }
      await refused(ann.socket.closeParty(id), "Error closing party: party leader only");
      await ben.socket.closeParty(id);
      for (const user of [ann, ben]) assert.equal((await user.inbox.next("party_close")).party_id, id);
    });

    test("its oldest member leads when the leader leaves, or its connection drops", async () => {
      const party = await create(true);
      const id = party.party_id;
      const dan = await connect(await signIn(server), { format: following });
      await dan.socket.joinParty(id);
      await dan.inbox.next("party");
      await join(ben, party);
      await ann.socket.leaveParty(id);
      const first = await ben.inbox.next("party_leader");
      assert.equal(first.presence.user_id, dan.session.user_id);
      const left = await ben.inbox.next("party_presence", (event) => event.leaves?.length > 0);
      assert.deepEqual(ids(left.leaves), [ann.self.session_id]);

      await ann.socket.joinParty(id);
      const again = await ann.inbox.next("party");
      assert.equal(again.leader.user_id, dan.session.user_id, "who comes back does not lead");
      dan.socket.disconnect(false);
      for (const user of [ann, ben]) {
        assert.equal((await user.inbox.next("party_leader")).presence.session_id, ben.self.session_id);
      }
      await ben.socket.leaveParty(id);
      await ann.socket.leaveParty(id);
      await refused(cat.socket.joinParty(id), "Error joining party: party not found");
    });

    test("its leader puts a member out", async () => {
      const party = await create(true);
      const id = party.party_id;
      await join(ben, party);
      await join(cat, party);
      await refused(ben.socket.removePartyMember(id, shown(cat)), "Error removing party member or join request: party leader only");
      await refused(ann.socket.removePartyMember(id, shown(ann)), "Error removing party member or join request: party cannot remove self");
      await ann.socket.removePartyMember(id, shown(ben));
      assert.equal((await ben.inbox.next("party_close")).party_id, id);
      const left = await cat.inbox.next("party_presence", (event) => event.leaves?.length > 0);
      assert.deepEqual(ids(left.leaves), [ben.self.session_id]);
      await refused(sendData(ben, id), "Error sending party data: party member not found");
      await refused(ann.socket.removePartyMember(id, shown(ben)), "Error removing party member or join request: party member not found");
      await ann.socket.closeParty(id);
    });

    test("data goes to all others", async () => {
      const party = await create(true);
      const id = party.party_id;
      await join(ben, party);
      await join(cat, party);
      await ben.socket.sendPartyData(id, 42, bytes("from ben"));
      for (const user of [ann, cat]) {
        const data = await user.inbox.next("party_data");
        assert.equal(Number(data.op_code), 42);
        assert.equal(new TextDecoder().decode(data.data), "from ben");
        assert.equal(data.presence.session_id, ben.self.session_id);
        assert.equal(data.party_id, id);
      }
      await ben.inbox.none("party_data");
      await ann.socket.closeParty(id);
      await refused(sendData(ben, id), "Error sending party data: party not found");
    });

    test("ids that are none are refused", async () => {
      const named = shown(ben);
      for (const id of ["", "x", "x.test", "1.2"]) {
        await refused(ann.socket.joinParty(id), "Invalid party ID");
        await refused(ann.socket.leaveParty(id), "Invalid party ID");
        await refused(ann.socket.closeParty(id), "Invalid party ID");
        await refused(ann.socket.promotePartyMember(id, named), "Invalid party ID");
        await refused(ann.socket.acceptPartyMember(id, named), "Invalid party ID");
        await refused(ann.socket.removePartyMember(id, named), "Invalid party ID");
        await refused(ann.socket.listPartyJoinRequests(id), "Invalid party ID");
        await refused(sendData(ann, id), "Invalid party ID");
      }
      const nowhere = "7f2e6a36-6f0f-4b8e-9f27-1d6f7c3d2a11.test";
      await refused(ann.socket.joinParty(nowhere), "Error joining party: party not found");
      await ann.socket.leaveParty(nowhere);
    });

    test("what is asked of a party that is none is refused, by whoever is asked", async () => {
      const gone = (await create(true)).party_id;
      await ann.socket.closeParty(gone);
      const named = shown(ben);
      // One that is over, one that never was, and one of another node.
      for (const id of [gone, "7f2e6a36-6f0f-4b8e-9f27-1d6f7c3d2a11.test", gone.replace(/\..*/, ".elsewhere")]) {
        for (const user of [ann, ben]) {
          const { socket } = user;
          await refused(socket.joinParty(id), "Error joining party: party not found");
          await refused(socket.promotePartyMember(id, named), "Error promoting new party leader: party not found");
          await refused(socket.acceptPartyMember(id, named), "Error accepting party join request: party not found");
          await refused(socket.removePartyMember(id, named), "Error removing party member or join request: party not found");
          await refused(socket.closeParty(id), "Error closing party: party not found");
          await refused(socket.listPartyJoinRequests(id), "Error listing party join requests: party not found");
          await refused(sendData(user, id), "Error sending party data: party not found");
          await refused(update(user, { party_id: id }), "Error updating party: party not found");
          await socket.leaveParty(id);
        }
      }
    });

    test("who is meant has to be named in full", async () => {
      const party = await create(true);
      const { party_id: id } = party;
      await join(ben, party);
      const whole = shown(ben);
      for (const missing of ["user_id", "session_id", "username"]) {
        const named = { ...whole, [missing]: "" };
        await refused(ann.socket.promotePartyMember(id, named), "Invalid presence");
        await refused(ann.socket.acceptPartyMember(id, named), "Invalid presence");
        await refused(ann.socket.removePartyMember(id, named), "Invalid presence");
      }
      const other = { ...whole, username: "somebody else" };
      await refused(ann.socket.promotePartyMember(id, other), "Error promoting new party leader: party member not found");
      await refused(ann.socket.acceptPartyMember(id, other), "Error accepting party join request: party join request not found");
      await refused(ann.socket.removePartyMember(id, other), "Error removing party member or join request: party member not found");
      await ann.socket.closeParty(id);
    });

    test("who is in an open one joins it again in silence, and who is not leaves it so", async () => {
      const party = await create(true);
      const { party_id: id } = party;
      await join(ben, party);
      await ben.socket.joinParty(id);
      await cat.socket.leaveParty(id);
      await ann.inbox.none("party_presence", (event) => event.party_id === id);
      await ben.inbox.none("party", (event) => event.party_id === id);
      await ann.socket.closeParty(id);
    });

    test("data of who is alone in it goes nowhere, and may be empty", async () => {
      const party = await create(true);
      await sendData(ann, party.party_id);
      await ann.inbox.none("party_data");
      await join(ben, party);
      await ann.socket.sendPartyData(party.party_id, 3, bytes(""));
      const data = await ben.inbox.next("party_data");
      assert.deepEqual([Number(data.op_code), data.data?.length ?? 0], [3, 0]);
      await ann.socket.closeParty(party.party_id);
    });

    test("the leader opens and closes it, and the members are told of its label", async () => {
      const party = await create(false);
      const { party_id: id } = party;
      await refused(update(ben, { party_id: id, open: true }), "Error updating party: party leader only");
      await refused(update(ann, { party_id: id, label: "x".repeat(2049) }), "Error updating party: party label too long");
      await update(ann, { party_id: id, label: '{"mode":"duel"}', open: true });
      await join(ben, party);
      await update(ann, { party_id: id, open: false });
      await refused(cat.socket.joinParty(id).then(() => cat.socket.joinParty(id)), "Error joining party: party join request duplicate");
      await ann.socket.acceptPartyMember(id, shown(cat));
      assert.equal((await cat.inbox.next("party", (told) => told.party_id === id)).presences.length, 3);
      await ann.socket.closeParty(id);
      for (const user of [ann, ben, cat]) await user.inbox.next("party_close", (closed) => closed.party_id === id);
    });

    test("nothing is left of the parties that are over", async () => {
      await eventually("parties are left", async () => (await metric(server, "parties")) === 0);
      assert.ok((await metric(server, "parties_refused")) > 0);
    });
  });
}

describe("labels and listings of parties", () => {
  let server;
  let ann;
  let ben;

  before(async () => {
    server = await startWithMetrics();
    ann = await connectOnShard(server, 0);
    ben = await connectOnShard(server, 1);
  });

  after(async () => {
    for (const user of [ann, ben]) user?.socket.disconnect(false);
    await server?.stop();
  });

  const create = async (user, party) => (await user.socket.send({ party_create: { max_size: 4, ...party } })).party;

  async function list(query = "") {
    const response = await fetch(`${server.url}/v2/party?${query}`, { headers: { authorization: `Bearer ${ann.session.token}` } });
    return { status: response.status, ...(await response.json()) };
  }

  test("a label is a JSON object of bounded length", async () => {
    const party = await create(ann, { open: true, label: '{"mode":"duel"}', hidden: true });
    assert.equal(party.label, '{"mode":"duel"}');
    assert.equal(party.hidden, true);
    const long = JSON.stringify({ text: "x".repeat(2048) });
    await refused(create(ann, { label: long }), "Error creating party: party label too long");
    await refused(
      create(ann, { label: "[1]" }),
      "Error creating party: failed to unmarshal party label: json: cannot unmarshal array into Go value of type map[string]interface {}",
    );
    await ann.socket.closeParty(party.party_id);
  });

  test("the leader changes label, openness and hiding, and the members are told", async () => {
    const party = await create(ann, { open: true });
    const id = party.party_id;
    await ben.socket.joinParty(id);
    await ben.inbox.next("party");
    const told = new Promise((resolve) =>
      ben.socket.adapter._socket.addEventListener("message", (event) => {
        const message = JSON.parse(event.data);
        if (message.party_update) resolve(message.party_update);
      }),
    );
    await refused(update(ben, { party_id: id, label: "{}" }), "Error updating party: party leader only");
    await refused(
      update(ann, { party_id: id, label: '{"a":1}', hidden: true }),
      "Error updating party: party is hidden and label is not empty, invalid operation",
    );
    await update(ann, { party_id: id, label: '{"a":1}', open: false });
    assert.deepEqual(await told, { party_id: id, label: '{"a":1}' });
    const { parties } = await list();
    assert.deepEqual(parties, [{ party_id: id, max_size: 4, label: '{"a":1}' }]);
    await update(ann, { party_id: id, hidden: true });
    assert.deepEqual(await list(), { status: 200 });
    await ann.socket.closeParty(id);
  });

  test("a listing gathers the parties of all shards, page by page", async () => {
    const made = [];
    for (let number = 0; number < 7; number += 1) {
      const user = number % 2 === 0 ? ann : ben;
      const label = number === 3 ? '{"mode":"ranked"}' : "";
      made.push({ user, ...(await create(user, { open: number < 4, label })) });
    }
    assert.deepEqual([...new Set(made.map((party) => shardOf(party.party_id.split(".")[0])))], [0, 1]);
    const all = await list();
    assert.deepEqual(all.parties.map((party) => party.party_id), made.map((party) => party.party_id));
    assert.equal(all.cursor, undefined);
    assert.equal(all.parties[0].label, "{}");

    const pages = [];
    let cursor = "";
    do {
      const page = await list(`limit=3&cursor=${encodeURIComponent(cursor)}`);
      assert.equal(page.status, 200);
      pages.push(page.parties.map((party) => party.party_id));
      cursor = page.cursor ?? "";
    } while (cursor);
    assert.deepEqual(pages.map((page) => page.length), [3, 3, 1]);
    assert.deepEqual(pages.flat(), made.map((party) => party.party_id));

    assert.equal((await list("open=true")).parties.length, 4);
    assert.equal((await list("open=false")).parties.length, 3);
    assert.equal((await list("query=*")).parties.length, 7);
    const ranked = await list(`query=${encodeURIComponent("+label.mode:ranked")}`);
    assert.deepEqual(ranked.parties.map((party) => party.party_id), [made[3].party_id]);

    for (const party of made) await party.user.socket.closeParty(party.party_id);
    assert.deepEqual(await list(), { status: 200 });
  });

  test("a listing that cannot be is refused", async () => {
    for (const limit of [0, -1, 101]) {
      const reply = await list(`limit=${limit}`);
      assert.deepEqual([reply.status, reply.code, reply.message], [400, 3, "Invalid limit - limit must be between 1 and 100."]);
    }
    const search = await list(`query=${encodeURIComponent("label.mode:rank*")}`);
    assert.deepEqual([search.status, search.code], [501, 12]);
    assert.match(search.message, /not built/);
    const cursor = await list("cursor=nonsense");
    assert.deepEqual([cursor.status, cursor.code, cursor.message], [500, 13, "Error listing matches."]);
    const stranger = await fetch(`${server.url}/v2/party`);
    assert.equal(stranger.status, 401);
  });
});

describe("one party at a time", () => {
  let server;

  before(async () => {
    server = await startWithMetrics({ "session.single_party": true, "session.single_socket": true });
  });
  after(() => server?.stop());

  test("who joins another party leaves the first, across shards", async () => {
    const ann = await connectOnShard(server, 0);
    const ben = await connectOnShard(server, 1);
    const cat = await connectOnShard(server, 1, { format: "schema" });
    const first = await ann.socket.createParty(true, 4);
    await cat.socket.joinParty(first.party_id);
    await cat.inbox.next("party");
    const second = await ben.socket.createParty(false, 4);
    await cat.socket.joinParty(second.party_id);
    const asked = await ben.inbox.next("party_join_request");
    await ben.socket.acceptPartyMember(second.party_id, asked.presences[0]);
    await cat.inbox.next("party", (party) => party.party_id === second.party_id);
    const left = await ann.inbox.next("party_presence", (event) => event.leaves?.length > 0);
    assert.deepEqual(ids(left.leaves), [cat.self.session_id]);
    // Alone in it, its creator ends the first party by opening another.
    const third = await ann.socket.createParty(true, 4);
    await refused(ben.socket.joinParty(first.party_id), "Error joining party: party not found");
    await ben.socket.joinParty(third.party_id);
    assert.equal((await cat.inbox.next("party_leader")).presence.session_id, cat.self.session_id);
    for (const user of [ann, ben, cat]) user.socket.disconnect(false);
    await eventually("parties are left", async () => (await metric(server, "parties")) === 0);
  });
});
