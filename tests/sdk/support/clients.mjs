// The unmodified SDK, and small waits around its callbacks.
import { randomUUID } from "node:crypto";
import { Client } from "@heroiclabs/nakama-js";
import { WebSocketAdapterPb } from "@heroiclabs/nakama-js-protobuf";
import WebSocket from "ws";
import { SchemaAdapter } from "./protobuf_adapter.mjs";

// Node 20 has no WebSocket of its own; a browser or Node 22 does.
globalThis.WebSocket ??= WebSocket;

export const SERVER_KEY = "defaultkey";

export function client(server, key = SERVER_KEY) {
  const made = new Client(key, "127.0.0.1", String(server.port), false, 10_000);
  // Session tokens live for a minute by default, which the SDK takes for nearly expired: it would
  // refresh before each call, and no test would see what becomes of the token it holds.
  made.autoRefreshSession = false;
  return made;
}

/** Signs in a new device and gives back its client, session and device id. */
export async function signIn(server, username) {
  const made = client(server);
  const device = randomUUID();
  const session = await made.authenticateDevice(device, true, username);
  return { client: made, session, device };
}

/** Everything that a socket was sent, by kind, with a wait for what is still to come. */
export class Inbox {
  #items = [];
  #waiting = [];

  push(kind, value) {
    const item = { kind, value };
    const at = this.#waiting.findIndex((wait) => wait.kind === kind && wait.accept(value));
    if (at >= 0) this.#waiting.splice(at, 1)[0].resolve(value);
    else this.#items.push(item);
  }

  next(kind, accept = () => true, ms = 5000) {
    const at = this.#items.findIndex((item) => item.kind === kind && accept(item.value));
    if (at >= 0) return Promise.resolve(this.#items.splice(at, 1)[0].value);
    return new Promise((resolve, reject) => {
      const wait = { kind, accept, resolve: (value) => (clearTimeout(timer), resolve(value)) };
      const timer = setTimeout(() => {
        // What comes later is for somebody who still waits.
        this.#waiting.splice(this.#waiting.indexOf(wait), 1);
        reject(new Error(`no ${kind} within ${ms} ms`));
      }, ms);
      this.#waiting.push(wait);
    });
  }

  /** Asserts silence: resolves when nothing of the kind came in `ms`. */
  async none(kind, accept = () => true, ms = 200) {
    await new Promise((done) => setTimeout(done, ms));
    const found = this.#items.find((item) => item.kind === kind && accept(item.value));
    if (found) throw new Error(`unexpected ${kind}: ${JSON.stringify(found.value)}`);
  }

  /** Forgets what came and nobody waited for. */
  clear() {
    this.#items = [];
  }

  count(kind) {
    return this.#items.filter((item) => item.kind === kind).length;
  }
}

const EVENTS = {
  ondisconnect: "disconnect",
  onerror: "error",
  onnotification: "notification",
  onmatchdata: "match_data",
  onmatchpresence: "match_presence",
  onmatchmakermatched: "matchmaker_matched",
  onstatuspresence: "status_presence",
  onstreampresence: "stream_presence",
  onstreamdata: "stream_data",
  onchannelmessage: "channel_message",
  onchannelpresence: "channel_presence",
  onparty: "party",
  onpartydata: "party_data",
  onpartypresence: "party_presence",
  onpartyclose: "party_close",
  onpartyjoinrequest: "party_join_request",
  onpartyleader: "party_leader",
  onpartymatchmakerticket: "party_matchmaker_ticket",
};

const ADAPTERS = {
  json: () => undefined,
  protobuf: () => new WebSocketAdapterPb(),
  schema: () => new SchemaAdapter(),
};

/** Opens a socket for a signed-in user; `format` is "json", "protobuf", or "schema" for newer protobuf. */
export async function connect(user, { format = "json", status = true, adapter } = {}) {
  adapter ??= ADAPTERS[format]();
  const socket = user.client.createSocket(false, false, adapter);
  const inbox = new Inbox();
  for (const [callback, kind] of Object.entries(EVENTS)) socket[callback] = (value) => inbox.push(kind, value);
  // The SDK never clears this timer, and a test's process would wait for it.
  await socket.connect(user.session, status, 10_000);
  return { ...user, socket, inbox };
}

/** The shard that a session lives on stands in the last two bytes of its id. */
export function shardOf(sessionId) {
  return Number.parseInt(sessionId.slice(-4), 16);
}

/** A signed-in, connected user whose session lives on the wanted shard: the kernel chooses, so we retry. */
export async function connectOnShard(server, shard, options = {}) {
  for (let attempt = 0; attempt < 64; attempt += 1) {
    const user = await connect(await signIn(server), options);
    const room = await user.socket.joinChat(`probe-${randomUUID()}`, 1, false, false);
    await user.socket.leaveChat(room.id);
    if (shardOf(room.self.session_id) === shard) return { ...user, self: room.self };
    user.socket.disconnect(false);
  }
  throw new Error(`no socket landed on shard ${shard} in 64 attempts`);
}
