// A WebSocket client that sends whatever frames a test wants, and has another implementation (`ws`) write
// them and judge what comes back.
import { randomBytes } from "node:crypto";
import net from "node:net";
import { Receiver, Sender } from "ws";

export const CONTINUATION = 0;
export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

/** One frame of a client. `rsv` sets the three reserved bits. */
export function frame(opcode, payload = Buffer.alloc(0), { fin = true, rsv = 0, mask = true, key } = {}) {
  const options = { fin, opcode, mask, readOnly: true, rsv1: false };
  if (key) Object.assign(options, { maskBuffer: key, generateMask: () => {} });
  const bytes = Buffer.concat(Sender.frame(Buffer.from(payload), options));
  bytes[0] |= rsv << 4;
  return bytes;
}

/** A message in fragments, each with what comes between it and the next. */
export function fragments(opcode, pieces, between = []) {
  const last = pieces.length - 1;
  return Buffer.concat(
    pieces.flatMap((piece, i) => [
      frame(i === 0 ? opcode : CONTINUATION, piece, { fin: i === last }),
      ...(i === last ? [] : between),
    ]),
  );
}

export function closePayload(code, reason = "") {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(code);
  return Buffer.concat([head, Buffer.from(reason)]);
}

/** The head of a frame that announces `length` bytes, of which none has to follow. */
export function headOnly(opcode, length, { fin = true, key = Buffer.from([1, 2, 3, 4]) } = {}) {
  const head = Buffer.alloc(10);
  head[0] = (fin ? 0x80 : 0) | opcode;
  head[1] = 0x80 | 127;
  head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, key]);
}

export class RawSocket {
  /** Everything that came, in order: `{ kind, data, code }`. */
  events = [];
  #waiting = [];

  static async open(server, token, { format = "json", headers = {} } = {}) {
    const raw = new RawSocket();
    raw.socket = net.connect({ port: server.port, host: "127.0.0.1", noDelay: true });
    raw.receiver = new Receiver({ isServer: false, maxPayload: 0 });
    const note = (kind) => (data, binary) => raw.#push({ kind, data: Buffer.from(data), binary });
    raw.receiver.on("message", note("message"));
    raw.receiver.on("ping", note("ping"));
    raw.receiver.on("pong", note("pong"));
    raw.receiver.on("conclude", (code, reason) => raw.#push({ kind: "close", code, data: reason }));
    raw.receiver.on("error", (error) => raw.#push({ kind: "violation", data: Buffer.from(String(error)) }));
    await raw.#handshake(server, token, format, headers);
    return raw;
  }

  #handshake(server, token, format, headers) {
    const key = randomBytes(16).toString("base64");
    const lines = [
      `GET /ws?token=${token}&format=${format} HTTP/1.1`,
      `Host: 127.0.0.1:${server.port}`,
      "Upgrade: websocket",
      "Connection: Upgrade",
      "Sec-WebSocket-Version: 13",
      `Sec-WebSocket-Key: ${key}`,
      ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ];
    this.socket.write(`${lines.join("\r\n")}\r\n\r\n`);
    return new Promise((resolve, reject) => {
      let head = Buffer.alloc(0);
      const fail = () => reject(new Error(`no handshake: ${head}`));
      const upgrade = (chunk) => {
        head = Buffer.concat([head, chunk]);
        const end = head.indexOf("\r\n\r\n");
        if (end < 0) return;
        this.socket.off("data", upgrade);
        this.response = head.subarray(0, end).toString().toLowerCase();
        if (!this.response.startsWith("http/1.1 101")) return fail();
        this.socket.off("close", fail);
        this.socket.on("data", (data) => this.receiver.write(data));
        this.socket.on("close", () => this.#push({ kind: "end" }));
        const rest = head.subarray(end + 4);
        if (rest.length > 0) this.receiver.write(rest);
        resolve();
      };
      this.socket.on("data", upgrade);
      this.socket.on("error", () => {}); // Told apart by what came before the end.
      this.socket.once("close", fail);
    });
  }

  #push(event) {
    this.events.push(event);
    this.#waiting = this.#waiting.filter((wake) => !wake());
  }

  send(...frames) {
    this.socket.write(Buffer.concat(frames));
  }

  /** Sends in pieces of `size` bytes, each in a packet of its own as far as the kernel lets us. */
  async chop(bytes, size) {
    for (let at = 0; at < bytes.length && this.socket.writable; at += size) {
      await new Promise((sent) => this.socket.write(bytes.subarray(at, at + size), sent));
    }
  }

  /** Waits until something that came satisfies `accept`. */
  until(accept, what, ms = 5000) {
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = this.events.find(accept);
        if (found) (clearTimeout(timer), resolve(found));
        return Boolean(found);
      };
      const timer = setTimeout(() => {
        const came = this.events.map((e) => `${e.kind} ${e.code ?? ""}${e.data?.subarray(0, 40) ?? ""}`);
        reject(new Error(`no ${what} within ${ms} ms; came: ${came.join(" | ") || "nothing"}`));
      }, ms);
      if (!look()) this.#waiting.push(look);
    });
  }

  /** The messages that came, as the server wrote them. */
  get messages() {
    return this.events.filter((event) => event.kind === "message").map((event) => event.data);
  }

  /** The code with which the server closed; its connection must end without our doing. */
  async closed() {
    const close = await this.until((e) => e.kind === "close" || e.kind === "end", "close");
    await this.until((e) => e.kind === "end", "end of the connection");
    const violation = this.events.find((event) => event.kind === "violation");
    if (violation) throw new Error(`the server broke the protocol: ${violation.data}`);
    return close.code;
  }

  destroy() {
    this.socket.destroy();
  }
}
