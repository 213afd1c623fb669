// A socket without the SDK: sends envelopes that no SDK would, and keeps everything that comes back.
import WebSocket from "ws";
import { Inbox } from "./clients.mjs";
import { decode, encode } from "./protobuf_adapter.mjs";

export class Wire {
  #inbox = new Inbox();
  #cids = 0;

  /** `format` is "json" or "protobuf"; `more` goes into the query, `headers` into the handshake. */
  static async open(server, token, { format = "json", more = "", headers = {}, status = false } = {}) {
    const wire = new Wire();
    wire.format = format;
    const query = `format=${format}&status=${status}${token === undefined ? "" : `&token=${encodeURIComponent(token)}`}${more}`;
    wire.socket = new WebSocket(`ws://127.0.0.1:${server.port}/ws?${query}`, { headers, perMessageDeflate: false });
    wire.closed = new Promise((done) => wire.socket.once("close", (code, reason) => done({ code, reason: reason.toString() })));
    wire.socket.on("message", (data) => {
      const envelope = format === "json" ? JSON.parse(data) : decode(data);
      // In protobuf what is empty is absent.
      if (envelope.cid === "") delete envelope.cid;
      wire.#inbox.push("envelope", envelope);
    });
    await new Promise((resolve, reject) => (wire.socket.once("open", resolve), wire.socket.once("error", reject)));
    wire.socket.on("error", () => {}); // Told apart by the close.
    return wire;
  }

  send(envelope) {
    this.socket.send(this.format === "json" ? JSON.stringify(envelope) : encode(envelope));
  }

  /** Sends and waits for the answer with the same cid, which it gives back without it. */
  async call(message, ms = 5000) {
    const cid = String((this.#cids += 1));
    this.send({ cid, ...message });
    const ended = this.closed.then(({ code, reason }) => {
      throw new Error(`closed with ${code} (${reason}) before the answer to ${JSON.stringify(message).slice(0, 200)}`);
    });
    const { cid: _, ...answer } = await Promise.race([this.next((envelope) => envelope.cid === cid, ms), ended]);
    return answer;
  }

  next(accept = () => true, ms = 5000) {
    return this.#inbox.next("envelope", accept, ms);
  }

  none(accept = () => true, ms = 200) {
    return this.#inbox.none("envelope", accept, ms);
  }

  close() {
    this.socket.close();
  }
}
