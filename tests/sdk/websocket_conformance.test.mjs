// WebSocket conformance (RFC 6455), in the classes of the Autobahn test suite. The protocol above answers
// a ping envelope with a pong envelope of the same cid, which makes an echo of it.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { signIn } from "./support/clients.mjs";
import {
  BINARY, CLOSE, CONTINUATION, PING, PONG, RawSocket, TEXT, closePayload, fragments, frame, headOnly,
} from "./support/frames.mjs";
import { Server } from "./support/server.mjs";

const MESSAGE_MAX = 4 << 20;
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** An envelope that the server answers with the same cid. */
const say = (cid) => Buffer.from(JSON.stringify({ cid, ping: {} }));

/** The same in protobuf: field 1 is the cid, field 32 the ping. */
function sayBinary(cid) {
  const text = Buffer.from(cid);
  const length = [];
  for (let rest = text.length; ; rest >>>= 7) {
    if (rest < 128) {
      length.push(rest);
      break;
    }
    length.push((rest & 127) | 128);
  }
  const cidField = text.length > 0 ? Buffer.concat([Buffer.from([0x0a, ...length]), text]) : Buffer.alloc(0);
  return Buffer.concat([cidField, Buffer.from([PING_TAG & 127 | 128, PING_TAG >> 7, 0])]);
}
const PING_TAG = (32 << 3) | 2;

/** An envelope of exactly `length` bytes, and its cid. */
function ofLength(length) {
  const cid = "x".repeat(length - say("").length);
  return { cid, payload: say(cid) };
}

const cidsOf = (raw) => raw.messages.map((data) => JSON.parse(data).cid);

describe("websocket conformance", { concurrency: 8 }, () => {
  let server;
  let token;

  before(async () => {
    server = await Server.start({ shards: 2, flags: { "socket.max_message_size_bytes": MESSAGE_MAX } });
    token = (await signIn(server)).session.token;
  });
  after(() => server?.stop());

  /** A case: opens a connection, runs `body`, and lets nothing stay behind. */
  const on = (name, body, options) =>
    test(name, async () => {
      const raw = await RawSocket.open(server, token, options);
      try {
        await body(raw);
        const violation = raw.events.find((event) => event.kind === "violation");
        assert.equal(violation, undefined, `the server broke the protocol: ${violation?.data}`);
      } finally {
        raw.destroy();
      }
    });

  /** The server still speaks: it answers an envelope. */
  const speaks = async (raw, cid = "still here") => {
    raw.send(frame(TEXT, say(cid)));
    await raw.until((e) => e.kind === "message" && JSON.parse(e.data).cid === cid, `answer to ${cid}`);
  };
  const answers = (raw, cid) =>
    raw.until((e) => e.kind === "message" && JSON.parse(e.data).cid === cid, `answer of ${cid.length}`);
  const pongs = (raw, payload) =>
    raw.until((e) => e.kind === "pong" && e.data.equals(Buffer.from(payload)), "pong");
  const refused = (raw, code) => raw.closed().then((got) => assert.equal(got, code));

  describe("1: framing", () => {
    for (const length of [32, 125, 126, 127, 128, 255, 4096, 65_535, 65_536, 65_537, 131_072]) {
      on(`1.1 text of ${length} bytes`, async (raw) => {
        const { cid, payload } = ofLength(length);
        assert.equal(payload.length, length);
        raw.send(frame(TEXT, payload));
        const answer = await answers(raw, cid);
        assert.equal(answer.binary, false);
      });
    }
    for (const length of [0, 1, 100, 125, 126, 127, 128, 65_535, 65_536, 131_072]) {
      on(
        `1.2 binary with a cid of ${length} bytes`,
        async (raw) => {
          raw.send(frame(BINARY, sayBinary("y".repeat(length))));
          const answer = await raw.until((e) => e.kind === "message", "answer");
          assert.ok(answer.binary);
          assert.ok(answer.data.includes("y".repeat(length)));
        },
        { format: "protobuf" },
      );
    }
    on("1.3 a text and a binary message without payload are no envelopes, and no violation", async (raw) => {
      raw.send(frame(TEXT));
      await refused(raw, 1000);
    });
    for (const size of [1, 2, 7, 997]) {
      on(`1.4 chopped into writes of ${size}`, async (raw) => {
        const { cid, payload } = ofLength(size < 10 ? 300 : 70_000);
        await raw.chop(frame(TEXT, payload), size);
        await answers(raw, cid);
      });
    }
    on("1.5 many frames in one write are answered in order", async (raw) => {
      const cids = Array.from({ length: 200 }, (_, i) => `n${i}`);
      raw.send(...cids.map((cid) => frame(TEXT, say(cid))));
      await answers(raw, cids.at(-1));
      assert.deepEqual(cidsOf(raw), cids);
    });
    on("1.6 a mask of zeros is a mask", async (raw) => {
      raw.send(frame(TEXT, say("plain"), { key: Buffer.alloc(4) }));
      await answers(raw, "plain");
    });
    for (const opcode of [TEXT, BINARY, PING, CLOSE]) {
      on(`1.7 an unmasked frame of opcode ${opcode} is refused`, async (raw) => {
        raw.send(frame(opcode, opcode === CLOSE ? closePayload(1000) : say("x"), { mask: false }));
        await refused(raw, 1002);
      });
    }
  });

  describe("2: pings and pongs", () => {
    for (const length of [0, 1, 8, 124, 125]) {
      on(`2.1 a ping of ${length} bytes`, async (raw) => {
        const payload = Buffer.alloc(length, 0xfe);
        raw.send(frame(PING, payload));
        await pongs(raw, payload);
      });
    }
    on("2.2 a ping of 126 bytes is refused", async (raw) => {
      raw.send(frame(PING, Buffer.alloc(126)));
      await refused(raw, 1002);
    });
    on("2.3 a ping in single bytes", async (raw) => {
      const payload = Buffer.alloc(125, 0x41);
      await raw.chop(frame(PING, payload), 1);
      await pongs(raw, payload);
    });
    on("2.4 pongs that nobody asked for are passed over", async (raw) => {
      raw.send(frame(PONG), frame(PONG, "unasked"));
      await speaks(raw);
      assert.equal(raw.events.length, 1);
    });
    on("2.5 a pong does not keep a ping from its pong", async (raw) => {
      raw.send(frame(PONG, "unasked"), frame(PING, "asked"));
      await pongs(raw, "asked");
    });
    for (const chop of [0, 1]) {
      on(`2.6 ten pings at once${chop ? ", in single bytes" : ""}, are answered in order`, async (raw) => {
        const payloads = Array.from({ length: 10 }, (_, i) => `payload ${i}`);
        const bytes = Buffer.concat(payloads.map((payload) => frame(PING, payload)));
        await raw.chop(bytes, chop || bytes.length);
        await pongs(raw, payloads.at(-1));
        assert.deepEqual(raw.events.map((event) => event.data.toString()), payloads);
      });
    }
  });

  describe("3: reserved bits", () => {
    for (let rsv = 1; rsv < 8; rsv += 1) {
      for (const opcode of [TEXT, BINARY, CONTINUATION, PING, PONG, CLOSE]) {
        on(`3.1 reserved bits ${rsv} on opcode ${opcode}, after a good message`, async (raw) => {
          raw.send(frame(TEXT, say("before")), frame(opcode, opcode === CLOSE ? closePayload(1000) : "x", { rsv }), frame(PING));
          await refused(raw, 1002);
          assert.deepEqual(cidsOf(raw), ["before"]);
          assert.ok(!raw.events.some((event) => event.kind === "pong"));
        });
      }
    }
    on("3.2 reserved bits are refused before the payload has come", async (raw) => {
      const head = headOnly(TEXT, 1000);
      head[0] |= 0x40;
      raw.send(head);
      await refused(raw, 1002);
    });
  });

  describe("4: opcodes", () => {
    for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
      for (const payload of ["", "reserved"]) {
        on(`4.1 opcode ${opcode} with ${payload.length} bytes, after a good message`, async (raw) => {
          raw.send(frame(TEXT, say("before")), frame(opcode, payload), frame(PING));
          await refused(raw, 1002);
          assert.deepEqual(cidsOf(raw), ["before"]);
        });
      }
    }
  });

  describe("5: fragmentation", () => {
    for (const opcode of [PING, PONG, CLOSE]) {
      on(`5.1 a fragmented control frame of opcode ${opcode} is refused`, async (raw) => {
        raw.send(frame(opcode, "frag", { fin: false }), frame(CONTINUATION, "ment"));
        await refused(raw, 1002);
      });
    }
    for (const chop of [0, 1]) {
      const how = chop ? ", in single bytes" : "";
      const cut = (cid, pieces) => {
        const payload = say(cid);
        const size = Math.ceil(payload.length / pieces);
        return Array.from({ length: pieces }, (_, i) => payload.subarray(i * size, (i + 1) * size));
      };
      const send = (raw, bytes) => raw.chop(bytes, chop || bytes.length);
      on(`5.2 a text in two fragments${how}`, async (raw) => {
        await send(raw, fragments(TEXT, cut("two", 2)));
        await answers(raw, "two");
      });
      on(`5.3 a text in fragments, some of them empty${how}`, async (raw) => {
        const [one, two] = cut("empty ones", 2);
        await send(raw, fragments(TEXT, ["", one, "", "", two, ""]));
        await answers(raw, "empty ones");
      });
      on(`5.4 a ping between fragments is answered before the message${how}`, async (raw) => {
        await send(raw, fragments(TEXT, cut("interrupted", 3), [frame(PING, "now")]));
        await answers(raw, "interrupted");
        assert.deepEqual(raw.events.map((event) => event.kind), ["pong", "pong", "message"]);
      });
      on(`5.5 a fragment of every byte, each with a ping behind it${how}`, async (raw) => {
        const payload = say("bytes");
        await send(raw, fragments(TEXT, [...payload].map((byte) => Buffer.from([byte])), [frame(PING, "p")]));
        await answers(raw, "bytes");
        assert.equal(raw.events.filter((event) => event.kind === "pong").length, payload.length - 1);
      });
      for (const fin of [true, false]) {
        on(`5.6 a continuation of nothing is refused, last: ${fin}${how}`, async (raw) => {
          await send(raw, Buffer.concat([frame(CONTINUATION, say("no"), { fin }), frame(TEXT, say("after"))]));
          await refused(raw, 1002);
          assert.deepEqual(cidsOf(raw), []);
        });
        on(`5.7 a continuation after a whole message is refused, last: ${fin}${how}`, async (raw) => {
          await send(raw, Buffer.concat([frame(TEXT, say("whole")), frame(CONTINUATION, "more", { fin })]));
          await refused(raw, 1002);
          assert.deepEqual(cidsOf(raw), ["whole"]);
        });
      }
      on(`5.8 a new message inside an unfinished one is refused${how}`, async (raw) => {
        await send(raw, Buffer.concat([frame(TEXT, "{", { fin: false }), frame(TEXT, say("new"))]));
        await refused(raw, 1002);
        assert.deepEqual(cidsOf(raw), []);
      });
    }
    on(
      "5.9 a binary message in fragments",
      async (raw) => {
        const payload = sayBinary("binary");
        raw.send(fragments(BINARY, [payload.subarray(0, 3), payload.subarray(3)], [frame(PING)]));
        await raw.until((e) => e.kind === "message" && e.data.includes("binary"), "answer");
      },
      { format: "protobuf" },
    );
  });

  const VALID = {
    "of all lengths": "a\u00e9\u20ac\u{1f600}",
    greek: "\u03ba\u1f79\u03c3\u03bc\u03b5",
    "first of each length": "\u0080\u0800\u{10000}",
    "last of each length": "\u007f\u07ff\uffff\u{10ffff}",
    "around the surrogates": "\ud7ff\ue000\ufffd",
    noncharacters: "\ufdd0\ufffe\uffff\u{1fffe}\u{1ffff}\u{8fffe}\u{10fffe}\u{10ffff}",
  };
  const INVALID = {
    "a lone continuation": [0x80],
    "the last continuation": [0xbf],
    "six continuations": [0x80, 0xbf, 0x80, 0xbf, 0x80, 0xbf],
    "a lone lead of two": [0xc3, 0x20],
    "a lone lead of three": [0xe1, 0x20],
    "a lone lead of four": [0xf1, 0x20],
    "three bytes without the last": [0xe2, 0x82, 0x22],
    "four bytes without the last": [0xf0, 0x9f, 0x98, 0x22],
    "five bytes": [0xf8, 0x88, 0x80, 0x80, 0x80],
    "six bytes": [0xfc, 0x84, 0x80, 0x80, 0x80, 0x80],
    fe: [0xfe],
    ff: [0xff],
    "an overlong slash in two": [0xc0, 0xaf],
    "an overlong slash in three": [0xe0, 0x80, 0xaf],
    "an overlong slash in four": [0xf0, 0x80, 0x80, 0xaf],
    "an overlong 7f": [0xc1, 0xbf],
    "an overlong 7ff": [0xe0, 0x9f, 0xbf],
    "an overlong ffff": [0xf0, 0x8f, 0xbf, 0xbf],
    "an overlong nul": [0xc0, 0x80],
    "beyond 10ffff": [0xf4, 0x90, 0x80, 0x80],
    "a first surrogate": [0xed, 0xa0, 0x80],
    "a last surrogate": [0xed, 0xbf, 0xbf],
    "a pair of surrogates": [0xed, 0xa0, 0x80, 0xed, 0xb0, 0x80],
  };
  describe("6: UTF-8", () => {
    for (const [what, text] of Object.entries(VALID)) {
      on(`6.1 ${what}`, async (raw) => {
        raw.send(frame(TEXT, say(text)));
        await answers(raw, text);
      });
      on(`6.2 ${what}, in fragments split at every byte`, async (raw) => {
        const payload = say(text);
        for (let at = 0; at <= payload.length; at += 1) {
          raw.send(fragments(TEXT, [payload.subarray(0, at), payload.subarray(at)]));
        }
        await raw.until(() => raw.messages.length === payload.length + 1, "answers");
        assert.ok(cidsOf(raw).every((cid) => cid === text));
      });
      on(`6.3 ${what}, in single bytes of the wire`, async (raw) => {
        await raw.chop(frame(TEXT, say(text)), 1);
        await answers(raw, text);
      });
    }
    for (const [what, bytes] of Object.entries(INVALID)) {
      const whole = Buffer.concat([Buffer.from('{"cid":"'), Buffer.from(bytes), Buffer.from('","ping":{}}')]);
      on(`6.4 ${what}`, async (raw) => {
        raw.send(frame(TEXT, whole));
        await refused(raw, 1007);
      });
      on(`6.5 ${what}, in fragments of a byte`, async (raw) => {
        raw.send(fragments(TEXT, [...whole].map((byte) => Buffer.from([byte]))));
        await refused(raw, 1007);
      });
      on(`6.6 ${what}, refused before the message or its frame has ended`, async (raw) => {
        // One byte more than the sequence, which makes up its mind, and never the rest.
        const begun = whole.subarray(0, 8 + bytes.length + 1);
        if (begun.length % 2) {
          raw.send(frame(TEXT, begun.subarray(0, 9), { fin: false }), frame(CONTINUATION, begun.subarray(9), { fin: false }));
        } else {
          raw.send(headOnly(TEXT, 1000, { key: Buffer.alloc(4) }), begun);
        }
        await refused(raw, 1007);
      });
    }
    on("6.7 a text that ends inside a character", async (raw) => {
      raw.send(fragments(TEXT, [Buffer.from('{"cid":"'), Buffer.from([0xe2, 0x82])]));
      await refused(raw, 1007);
    });
    on("6.8 bytes that are not UTF-8 are no violation in a binary message", async (raw) => {
      raw.send(frame(BINARY, [0xff, 0xfe]));
      await refused(raw, 1000);
    });
  });

  describe("7: closing", () => {
    on("7.1 what was sent before a close is answered before it", async (raw) => {
      raw.send(frame(TEXT, say("before")), frame(CLOSE, closePayload(1000)));
      await refused(raw, 1000);
      assert.deepEqual(raw.events.map((event) => event.kind), ["message", "close", "end"]);
    });
    for (const [what, bytes] of [
      ["a second close", frame(CLOSE, closePayload(1001))],
      ["a ping", frame(PING, "late")],
      ["a message", frame(TEXT, say("late"))],
      ["rubbish", Buffer.alloc(300, 0xff)],
      ["a megabyte", frame(TEXT, Buffer.alloc(1 << 20, 0x20))],
    ]) {
      on(`7.2 ${what} after a close is passed over`, async (raw) => {
        raw.send(frame(CLOSE, closePayload(1000)), bytes);
        await refused(raw, 1000);
        assert.deepEqual(raw.events.map((event) => event.kind), ["close", "end"]);
      });
    }
    on("7.3 a close inside an unfinished message", async (raw) => {
      raw.send(frame(TEXT, "{", { fin: false }), frame(CLOSE, closePayload(1000)));
      await refused(raw, 1000);
    });
    on("7.4 a close behind a large message", async (raw) => {
      const { cid, payload } = ofLength(256 << 10);
      raw.send(frame(TEXT, payload), frame(CLOSE, closePayload(1000)));
      await refused(raw, 1000);
      assert.deepEqual(cidsOf(raw), [cid]);
    });
    on("7.5 a close without a code", async (raw) => {
      raw.send(frame(CLOSE));
      const code = await raw.closed();
      assert.ok([1000, 1005].includes(code), `closed with ${code}`);
    });
    on("7.6 half a close code", async (raw) => {
      raw.send(frame(CLOSE, [3]));
      await refused(raw, 1002);
    });
    for (const length of [0, 1, 122, 123]) {
      on(`7.7 a reason of ${length} bytes`, async (raw) => {
        raw.send(frame(CLOSE, closePayload(1000, "r".repeat(length))));
        await refused(raw, 1000);
      });
    }
    on("7.8 a reason of 124 bytes", async (raw) => {
      raw.send(frame(CLOSE, closePayload(1000, "r".repeat(124))));
      await refused(raw, 1002);
    });
    on("7.9 a reason that is not UTF-8", async (raw) => {
      raw.send(frame(CLOSE, Buffer.concat([closePayload(1000), Buffer.from([0xed, 0xa0, 0x80])])));
      await refused(raw, 1007);
    });
    for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]) {
      on(`7.10 the code ${code} is good, and comes back`, async (raw) => {
        raw.send(frame(CLOSE, closePayload(code)));
        await refused(raw, code);
      });
    }
    for (const code of [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535]) {
      on(`7.11 the code ${code} is none`, async (raw) => {
        raw.send(frame(CLOSE, closePayload(code)));
        await refused(raw, 1002);
      });
    }
    on("7.12 a close in single bytes", async (raw) => {
      await raw.chop(frame(CLOSE, closePayload(1000, "bye")), 1);
      await refused(raw, 1000);
    });
    on("7.13 a connection that ends without a close", async (raw) => {
      raw.send(frame(TEXT, say("before")));
      await answers(raw, "before");
      raw.socket.end();
      await raw.until((e) => e.kind === "end", "end of the connection");
    });
  });

  describe("9: limits", () => {
    for (const length of [64 << 10, 256 << 10, 1 << 20, MESSAGE_MAX]) {
      on(`9.1 a text of ${length} bytes`, async (raw) => {
        const { cid, payload } = ofLength(length);
        raw.send(frame(TEXT, payload));
        await answers(raw, cid);
      });
    }
    for (const size of [64, 1024, 65_536]) {
      on(`9.2 a text of 1 MiB in fragments of ${size}`, async (raw) => {
        const { cid, payload } = ofLength(1 << 20);
        const pieces = Array.from({ length: payload.length / size }, (_, i) => payload.subarray(i * size, (i + 1) * size));
        raw.send(fragments(TEXT, pieces));
        await answers(raw, cid);
      });
      on(`9.3 a text of 1 MiB in writes of ${size * 16}`, async (raw) => {
        const { cid, payload } = ofLength(1 << 20);
        await raw.chop(frame(TEXT, payload), size * 16);
        await answers(raw, cid);
      });
    }
    on("9.4 a message over the bound is refused by its head", async (raw) => {
      raw.send(headOnly(TEXT, MESSAGE_MAX + 1));
      await refused(raw, 1009);
    });
    on("9.5 a message over the bound is refused with its close delivered while more comes in", async (raw) => {
      raw.send(frame(BINARY, Buffer.alloc(2 * MESSAGE_MAX)));
      await refused(raw, 1009);
    });
    on("9.6 fragments that add up to too much are refused where they do", async (raw) => {
      const half = Buffer.alloc(MESSAGE_MAX / 2, 0x20);
      raw.send(frame(TEXT, half, { fin: false }), frame(CONTINUATION, half, { fin: false }));
      await sleep(50);
      assert.deepEqual(raw.events, []);
      raw.send(headOnly(CONTINUATION, 1));
      await refused(raw, 1009);
    });
    for (const length of [(1n << 63n) - 1n, 1n << 63n, (1n << 64n) - 1n]) {
      on(`9.7 a frame of ${length} bytes is refused`, async (raw) => {
        raw.send(headOnly(TEXT, length));
        const code = await raw.closed();
        assert.ok([1002, 1009].includes(code), `closed with ${code}`);
      });
    }
    on("9.8 a thousand messages at once are answered in order", async (raw) => {
      const cids = Array.from({ length: 1000 }, (_, i) => `n${i}`);
      await raw.chop(Buffer.concat(cids.map((cid) => frame(TEXT, say(cid)))), 1300);
      await answers(raw, cids.at(-1));
      assert.deepEqual(cidsOf(raw), cids);
    });
  });

  describe("10: a large message in packets' sizes", () => {
    on("10.1 65536 bytes in fragments of 1300", async (raw) => {
      const { cid, payload } = ofLength(65_536);
      const pieces = Array.from({ length: Math.ceil(65_536 / 1300) }, (_, i) => payload.subarray(i * 1300, (i + 1) * 1300));
      raw.send(fragments(TEXT, pieces));
      await answers(raw, cid);
    });
  });

  describe("12, 13: extensions", () => {
    for (const offer of [
      "permessage-deflate",
      "permessage-deflate; client_max_window_bits",
      "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9",
      "x-unknown, permessage-deflate",
    ]) {
      on(
        `12.1 an offer of ${offer} is not taken up, and its bit stays reserved`,
        async (raw) => {
          assert.doesNotMatch(raw.response, /sec-websocket-extensions/);
          await speaks(raw);
          raw.send(frame(TEXT, say("compressed"), { rsv: 4 }));
          await refused(raw, 1002);
        },
        { headers: { "Sec-WebSocket-Extensions": offer } },
      );
    }
  });
});
