// Listings of matches and parties over gRPC, with a client that we did not write.
import assert from "node:assert/strict";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";
import { connectOnShard } from "./support/clients.mjs";
import { Server } from "./support/server.mjs";

const protoDir = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../proto/proto");
const options = { includeDirs: [protoDir], keepCase: true, longs: String, defaults: true };
const { nakama } = grpc.loadPackageDefinition(loader.loadSync("nakama/api/nakama.proto", options));

describe("listings over gRPC", () => {
  let server;
  let stub;
  let ann;
  let ben;
  let bearer;

  before(async () => {
    server = await Server.start({ shards: 2 });
    stub = new nakama.api.Nakama(`127.0.0.1:${server.grpcPort}`, grpc.credentials.createInsecure());
    ann = await connectOnShard(server, 0);
    ben = await connectOnShard(server, 1, { format: "protobuf" });
    bearer = new grpc.Metadata();
    bearer.set("authorization", `Bearer ${ann.session.token}`);
  });

  after(async () => {
    for (const user of [ann, ben]) user?.socket.disconnect(false);
    stub?.close();
    await server?.stop();
  });

  const call = (method, request, metadata = bearer) =>
    new Promise((resolve, reject) =>
      stub[method](request, metadata, { deadline: Date.now() + 5000 }, (error, reply) => (error ? reject(error) : resolve(reply))),
    );
  const code = (promise) => promise.then(() => 0, (error) => error.code);

  test("parties of both shards, page by page", async () => {
    const made = [await ann.socket.createParty(true, 3), await ben.socket.createParty(false, 4), await ann.socket.createParty(true, 5)];
    const first = await call("ListParties", { limit: { value: 2 } });
    assert.deepEqual(first.parties.map((party) => [party.party_id, party.open, party.max_size, party.label]), [
      [made[0].party_id, true, 3, "{}"],
      [made[1].party_id, false, 4, "{}"],
    ]);
    const second = await call("ListParties", { limit: { value: 2 }, cursor: { value: first.cursor } });
    assert.deepEqual(second.parties.map((party) => party.party_id), [made[2].party_id]);
    assert.equal(second.cursor, "");
    const open = await call("ListParties", { open: { value: true } });
    assert.equal(open.parties.length, 2);
    assert.equal(await code(call("ListParties", { limit: { value: 0 } })), grpc.status.INVALID_ARGUMENT);
    assert.equal(await code(call("ListParties", { query: { value: "a b" } })), grpc.status.UNIMPLEMENTED);
    assert.equal(await code(call("ListParties", { cursor: { value: first.cursor } })), grpc.status.INTERNAL, "another limit");
    assert.equal(await code(call("ListParties", {}, new grpc.Metadata())), grpc.status.UNAUTHENTICATED);
    await ann.socket.closeParty(made[0].party_id);
    await ben.socket.closeParty(made[1].party_id);
    await ann.socket.closeParty(made[2].party_id);
    assert.deepEqual((await call("ListParties", {})).parties, []);
  });

  test("matches of both shards by size", async () => {
    const one = await ann.socket.createMatch();
    const two = await ben.socket.createMatch();
    await ann.socket.joinMatch(two.match_id);
    const all = await call("ListMatches", {});
    assert.deepEqual(
      Object.fromEntries(all.matches.map((match) => [match.match_id, match.size])),
      { [one.match_id]: 1, [two.match_id]: 2 },
    );
    assert.ok(all.matches.every((match) => !match.authoritative && !match.label));
    const large = await call("ListMatches", { min_size: { value: 2 } });
    assert.deepEqual(large.matches.map((match) => match.match_id), [two.match_id]);
    assert.deepEqual((await call("ListMatches", { authoritative: { value: true } })).matches, []);
    assert.equal(await code(call("ListMatches", { limit: { value: 101 } })), grpc.status.INVALID_ARGUMENT);
    assert.equal(await code(call("ListMatches", { query: { value: "label.a:b" } })), grpc.status.UNIMPLEMENTED);
  });
});
