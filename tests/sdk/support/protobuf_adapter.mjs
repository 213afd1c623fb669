// The SDK's socket over protobuf by the schema of the protocol's 3.40. The SDK's own protobuf adapter
// is older: it knows no names of matches, no labels, and other field numbers of a party.
import path from "node:path";
import { fileURLToPath } from "node:url";
import protobuf from "protobufjs";
import WebSocket from "ws";

const folder = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../../proto/proto");
const root = new protobuf.Root();
root.resolvePath = (_, target) => (target.startsWith("google/") ? target : path.join(folder, target));
root.loadSync("nakama/realtime/envelope.proto", { keepCase: true });
export const Envelope = root.lookupType("nakama.realtime.Envelope");
const READ = { longs: Number, enums: Number, arrays: false, objects: false, defaults: false };

/** Wrapped values are bare in the SDK's messages. */
function mapped(type, message, change) {
  const copy = { ...message };
  for (const [name, value] of Object.entries(message)) {
    const field = type.fields[name]?.resolve();
    const inner = field?.resolvedType;
    if (!inner?.fields || value === undefined || value === null) continue;
    const one = (item) => (/^\.google\.protobuf\.\w+Value$/.test(inner.fullName) ? change(item) : mapped(inner, item, change));
    copy[name] = field.repeated ? value.map(one) : field.map ? value : one(value);
  }
  return copy;
}

/** An envelope as JSON clients write it, in protobuf. */
export function encode(message) {
  return Envelope.encode(Envelope.fromObject(mapped(Envelope, message, (value) => ({ value })))).finish();
}

/** An envelope in protobuf, as JSON clients read it but for numbers and bytes. */
export function decode(bytes) {
  return mapped(Envelope, Envelope.toObject(Envelope.decode(new Uint8Array(bytes)), READ), (wrapped) => wrapped.value ?? "");
}

export class SchemaAdapter {
  connect(scheme, host, port, createStatus, token) {
    const query = new URLSearchParams({ lang: "en", status: String(createStatus), token, format: "protobuf" });
    this.socket = new WebSocket(`${scheme}${host}:${port}/ws?${query}`);
    this.socket.binaryType = "arraybuffer";
  }

  isOpen() {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  send(message) {
    this.socket.send(encode(message));
  }

  close() {
    this.socket.close();
    this.socket = undefined;
  }

  set onClose(value) {
    this.socket.onclose = value;
  }

  set onError(value) {
    this.socket.onerror = value;
  }

  set onOpen(value) {
    this.socket.onopen = value;
  }

  set onMessage(value) {
    this.socket.onmessage = (event) => value?.(decode(event.data));
  }
}
