// A gRPC client that we did not write, on the gRPC port and on the request port.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";
import { connect, signIn } from "./support/clients.mjs";
import { Server } from "./support/server.mjs";

const protoDir = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../proto/proto");
const definition = loader.loadSync("nakama/api/nakama.proto", {
  includeDirs: [protoDir],
  keepCase: true,
  longs: String,
  defaults: true,
});
const { nakama } = grpc.loadPackageDefinition(definition);

function call(stub, method, request, metadata) {
  return new Promise((resolve, reject) =>
    stub[method](request, metadata, { deadline: Date.now() + 5000 }, (error, reply) => (error ? reject(error) : resolve(reply))),
  );
}

function metadata(authorization) {
  const made = new grpc.Metadata();
  made.set("authorization", authorization);
  return made;
}

const basic = (key) => metadata(`Basic ${Buffer.from(`${key}:`).toString("base64")}`);

describe("gRPC", () => {
  let server;
  before(async () => {
    server = await Server.start({ shards: 2 });
  });
  after(() => server?.stop());

  for (const port of ["grpcPort", "port"]) {
    describe(`on the server's ${port}`, () => {
      let stub;
      before(() => {
        stub = new nakama.api.Nakama(`127.0.0.1:${server[port]}`, grpc.credentials.createInsecure());
      });
      after(() => stub.close());

      const signUp = () =>
        call(stub, "AuthenticateDevice", { account: { id: randomUUID() }, create: { value: true } }, basic("defaultkey"));

      test("signs in and reads the account", async () => {
        const session = await signUp();
        assert.equal(session.created, true);
        const account = await call(stub, "GetAccount", {}, metadata(`Bearer ${session.token}`));
        assert.ok(account.user.id);
        assert.equal(account.devices.length, 1);
      });

      test("many calls share one connection", async () => {
        const session = await signUp();
        const accounts = await Promise.all(
          Array.from({ length: 50 }, () => call(stub, "GetAccount", {}, metadata(`Bearer ${session.token}`))),
        );
        assert.equal(new Set(accounts.map((a) => a.user.id)).size, 1);
      });

      test("lists what was said on a socket", async () => {
        const user = await connect(await signIn(server));
        const { id } = await user.socket.joinChat(`room ${randomUUID()}`, 1, true, false);
        for (const n of [1, 2, 3]) await user.socket.writeChatMessage(id, { n });
        user.socket.disconnect(false);
        const bearer = metadata(`Bearer ${user.session.token}`);
        const list = (more) => call(stub, "ListChannelMessages", { channel_id: id, ...more }, bearer);
        const numbers = (page) => page.messages.map((message) => JSON.parse(message.content).n);
        const first = await list({ limit: { value: 2 }, forward: { value: false } });
        assert.deepEqual(numbers(first), [3, 2]);
        assert.deepEqual([first.messages[0].persistent, first.messages[0].code], [{ value: true }, { value: 0 }]);
        const second = await list({ limit: { value: 2 }, forward: { value: false }, cursor: first.next_cursor });
        assert.deepEqual([numbers(second), second.next_cursor], [[1], ""]);
        assert.deepEqual(numbers(await list({})), [1]);
        for (const wrong of [{ channel_id: "" }, { limit: { value: 101 } }, { cursor: first.next_cursor }]) {
          const error = await list(wrong).catch((error) => error);
          assert.equal(error.code, grpc.status.INVALID_ARGUMENT);
        }
      });

      test("refuses with the right codes", async () => {
        const code = (promise) => promise.then(() => 0, (error) => error.code);
        assert.equal(await code(call(stub, "GetAccount", {}, basic("defaultkey"))), grpc.status.UNAUTHENTICATED);
        assert.equal(await code(call(stub, "AuthenticateDevice", { account: { id: randomUUID() } }, basic("wrong"))), grpc.status.UNAUTHENTICATED);
        assert.equal(await code(call(stub, "AuthenticateDevice", { account: { id: "short" } }, basic("defaultkey"))), grpc.status.INVALID_ARGUMENT);
        const session = await signUp();
        const bearer = metadata(`Bearer ${session.token}`);
        const unbuilt = await call(stub, "ListSubscriptions", {}, bearer).catch((error) => error);
        assert.equal(unbuilt.code, grpc.status.UNIMPLEMENTED);
        assert.match(unbuilt.details, /not built/);
      });
    });
  }
});
