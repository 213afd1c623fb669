// What a hostile or broken client can send; the server keeps serving the others.
import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import net from "node:net";
import { after, before, describe, test } from "node:test";
import WebSocket from "ws";
import { connect, signIn } from "./support/clients.mjs";
import { Server } from "./support/server.mjs";

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** Sends bytes on a bare connection and gives back what comes until the end, or for `ms`. */
function raw(port, bytes, ms = 1000) {
  return new Promise((resolve) => {
    const chunks = [];
    const socket = net.connect(port, "127.0.0.1", () => socket.write(bytes));
    const done = () => (socket.destroy(), resolve(Buffer.concat(chunks)));
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.on("error", done);
    socket.on("close", done);
    setTimeout(done, ms);
  });
}

function open(server, session, query = "") {
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/ws?token=${session.token}&lang=en&status=true${query}`);
  const opened = new Promise((resolve, reject) => (socket.once("open", resolve), socket.once("error", reject)));
  const closed = new Promise((resolve) => socket.once("close", (code) => resolve(code)));
  return { socket, opened, closed };
}

function residentKiB(pid) {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]);
}

describe("hostile input", () => {
  let server;
  let witness;

  before(async () => {
    server = await Server.start({ shards: 2 });
    witness = await connect(await signIn(server));
  });
  after(async () => {
    witness?.socket.disconnect(false);
    await server?.stop();
  });

  const stillServes = async () => {
    const room = await witness.socket.joinChat(randomUUID(), 1, false, false);
    await witness.socket.writeChatMessage(room.id, { alive: true });
    assert.ok((await witness.inbox.next("channel_message", (m) => m.channel_id === room.id)).message_id);
    await witness.socket.leaveChat(room.id);
  };

  test("broken HTTP is answered or cut", async () => {
    const heads = [
      "GARBAGE\r\n\r\n",
      "GET / HTTP/9.9\r\n\r\n",
      `GET /${"a".repeat(200_000)} HTTP/1.1\r\nhost: x\r\n\r\n`,
      `GET / HTTP/1.1\r\n${"x: y\r\n".repeat(5000)}\r\n`,
      "POST /v2/account/authenticate/device HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
      "POST /v2/account/authenticate/device HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff",
      "GET /ws HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
    ];
    for (const head of heads) await raw(server.port, Buffer.from(head, "latin1"), 300);
    await stillServes();
  });

  test("random bytes on every port are answered or cut", async () => {
    const ports = [server.port, server.grpcPort, server.consolePort];
    await Promise.all(
      Array.from({ length: 120 }, (_, i) => raw(ports[i % ports.length], randomBytes(1 + ((i * 97) % 4000)), 300)),
    );
    await stillServes();
  });

  test("a body over the limit is refused", async () => {
    const response = await fetch(`${server.url}/v2/account/authenticate/device`, {
      method: "POST",
      headers: { authorization: `Basic ${btoa("defaultkey:")}` },
      body: JSON.stringify({ id: "x".repeat(2_000_000) }),
    }).catch(() => ({ status: 413 }));
    assert.ok([400, 413].includes(response.status), `status ${response.status}`);
    await stillServes();
  });

  const malformed = {
    "JSON that does not parse": '{"cid":',
    "an empty envelope": "{}",
    "an unknown message": '{"no_such_message":{}}',
    "an unknown field": '{"ping":{"surprise":1}}',
    "a binary frame on a JSON socket": Buffer.from([1, 2, 3]),
  };
  for (const [what, frame] of Object.entries(malformed)) {
    test(`${what} closes that socket with 1000`, async () => {
      const { session } = await signIn(server);
      const { socket, opened, closed } = open(server, session);
      await opened;
      socket.send(frame);
      assert.equal(await closed, 1000);
      await stillServes();
    });
  }

  test("protobuf that does not parse closes that socket with 1000", async () => {
    const { session } = await signIn(server);
    const { socket, opened, closed } = open(server, session, "&format=protobuf");
    await opened;
    socket.send(Buffer.from([0xff, 0xff, 0xff, 0xff]));
    assert.equal(await closed, 1000);
    await stillServes();
  });

  test("an oversized message closes with 1009", async () => {
    const { session } = await signIn(server);
    const { socket, opened, closed } = open(server, session);
    await opened;
    socket.send(JSON.stringify({ cid: "1", rpc: { id: "x".repeat(10_000) } }));
    assert.equal(await closed, 1009);
    await stillServes();
  });

  test("a bad token is refused before the socket opens", async () => {
    const { opened } = open(server, { token: "not.a.token" });
    await assert.rejects(opened, /401/);
  });

  test("a client that never reads is cut, and others do not wait for it", async () => {
    const slow = await signIn(server);
    const { socket, opened } = open(server, slow.session);
    await opened;
    socket.send(JSON.stringify({ cid: "1", channel_join: { target: "flood", type: 1, persistence: false, hidden: false } }));
    await sleep(100);
    socket.pause();
    const room = await witness.socket.joinChat("flood", 1, false, false);
    const payload = { text: "y".repeat(3000) };
    // 18 MB: more than the kernel's buffers of one connection hold.
    for (let sent = 0; sent < 6000; sent += 20) {
      await Promise.all(Array.from({ length: 20 }, () => witness.socket.writeChatMessage(room.id, payload)));
    }
    const left = await witness.inbox.next("channel_presence", (e) => e.channel_id === room.id && e.leaves?.length > 0);
    assert.equal(left.leaves[0].user_id, slow.session.user_id, "the slow reader was disconnected");
    socket.terminate();
    await witness.socket.leaveChat(room.id);
  });

  test("a storm of malformed sockets leaves no memory behind", async () => {
    const { session } = await signIn(server);
    const storm = async (count) => {
      for (let i = 0; i < count; i += 50) {
        await Promise.all(
          Array.from({ length: 50 }, async () => {
            const { socket, opened, closed } = open(server, session);
            await opened;
            socket.send(randomBytes(64));
            socket.send("{broken");
            socket.terminate();
            await closed;
          }),
        );
      }
      await sleep(3000);
      return residentKiB(server.pid);
    };
    const warm = await storm(500);
    const end = await storm(1000);
    assert.ok(end - warm < 16 * 1024, `resident grew by ${end - warm} KiB over 1000 dead sockets`);
    await stillServes();
  });
});
