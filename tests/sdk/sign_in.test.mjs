// Sign-in, sessions, links and accounts through the SDK, on both stores.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { Session } from "@heroiclabs/nakama-js";
import { client, signIn } from "./support/clients.mjs";
import { onBothStores } from "./support/stores.mjs";

/** The SDK rejects with the raw response: its status and the gRPC code of its body. */
async function refused(promise, status, code) {
  const response = await promise.then(
    () => assert.fail("the call went through"),
    (error) => error,
  );
  assert.equal(response.status, status, `HTTP status: ${JSON.stringify(response)}`);
  assert.equal((await response.json()).code, code);
}

onBothStores("accounts", (context) => {
  const api = () => client(context.server);
  const name = () => `u${randomUUID().slice(0, 12)}`;

  test("a new device makes an account and the same device finds it again", async () => {
    const device = randomUUID();
    const first = await api().authenticateDevice(device, true, name());
    assert.equal(first.created, true);
    const again = await api().authenticateDevice(device, false);
    assert.equal(again.created, false);
    assert.equal(again.user_id, first.user_id);
    assert.equal(again.username, first.username);
  });

  test("an unknown device without create is not found", () =>
    refused(api().authenticateDevice(randomUUID(), false), 404, 5));

  test("a device id out of bounds is refused", () => refused(api().authenticateDevice("short", true), 400, 3));

  test("a wrong server key is refused", () =>
    refused(client(context.server, "wrong").authenticateDevice(randomUUID(), true), 401, 16));

  test("a taken username is a conflict", async () => {
    const taken = name();
    await api().authenticateDevice(randomUUID(), true, taken);
    await refused(api().authenticateDevice(randomUUID(), true, taken), 409, 6);
  });

  test("parallel first sign-ins with one device id make one account", async () => {
    const device = randomUUID();
    const sessions = await Promise.all(Array.from({ length: 12 }, () => api().authenticateDevice(device, true)));
    assert.equal(new Set(sessions.map((s) => s.user_id)).size, 1);
    assert.equal(sessions.filter((s) => s.created).length, 1);
  });

  test("an email account checks its password", async () => {
    const email = `${name()}@example.com`;
    const made = await api().authenticateEmail(email, "correct horse", true, name());
    assert.equal(made.created, true);
    assert.equal((await api().authenticateEmail(email, "correct horse", false)).user_id, made.user_id);
    await refused(api().authenticateEmail(email, "wrong horse", false), 401, 16);
    await refused(api().authenticateEmail(email, "short", false), 400, 3);
    await refused(api().authenticateEmail("no at sign", "correct horse", true), 400, 3);
  });

  test("session variables travel in the token", async () => {
    const session = await api().authenticateCustom(`custom-${name()}`, true, name(), { region: "eu" });
    assert.equal(session.vars.region, "eu");
  });

  test("a refreshed session keeps its user and works", async () => {
    const { client: c, session } = await signIn(context.server);
    const old = Session.restore(session.token, session.refresh_token);
    const fresh = await c.sessionRefresh(session, { level: "2" });
    assert.equal(fresh.user_id, old.user_id);
    assert.equal(fresh.vars.level, "2");
    assert.equal((await c.getAccount(fresh)).user.id, old.user_id);
  });

  test("after logout neither token works", async () => {
    const { client: c, session } = await signIn(context.server);
    const kept = Session.restore(session.token, session.refresh_token);
    await c.sessionLogout(session, session.token, session.refresh_token);
    c.autoRefreshSession = false;
    await refused(c.getAccount(kept), 401, 16);
    await refused(c.sessionRefresh(kept), 401, 16);
  });

  test("an account is read, changed and read back", async () => {
    const { client: c, session, device } = await signIn(context.server);
    const account = await c.getAccount(session);
    assert.equal(account.user.id, session.user_id);
    assert.equal(account.devices[0].id, device);
    assert.equal(account.wallet, "{}");
    const username = name();
    await c.updateAccount(session, { username, display_name: "Ann", lang_tag: "de", location: "Köln", timezone: "Europe/Berlin", avatar_url: "https://example.com/a.png" });
    const { user } = await c.getAccount(session);
    assert.deepEqual(
      [user.username, user.display_name, user.lang_tag, user.location, user.timezone, user.avatar_url],
      [username, "Ann", "de", "Köln", "Europe/Berlin", "https://example.com/a.png"],
    );
    const taken = (await signIn(context.server)).session.username;
    await refused(c.updateAccount(session, { username: taken }), 400, 3);
  });

  test("links are added, found at sign-in, and the last one stays", async () => {
    const { client: c, session, device } = await signIn(context.server);
    const custom = `custom-${name()}`;
    await c.linkCustom(session, { id: custom });
    assert.equal((await api().authenticateCustom(custom, false)).user_id, session.user_id);
    const other = await signIn(context.server);
    await refused(other.client.linkCustom(other.session, { id: custom }), 409, 6);
    const email = `${name()}@example.com`;
    await c.linkEmail(session, { email, password: "correct horse" });
    assert.equal((await api().authenticateEmail(email, "correct horse", false)).user_id, session.user_id);
    await c.unlinkEmail(session, { email, password: "correct horse" });
    await c.unlinkCustom(session, { id: custom });
    await refused(c.unlinkDevice(session, { id: device }), 403, 7);
    await refused(c.unlinkDevice(session, { id: other.device }), 403, 7);
  });

  test("users are found by id and by username", async () => {
    const [a, b] = [await signIn(context.server), await signIn(context.server)];
    const { users } = await a.client.getUsers(a.session, [b.session.user_id], [a.session.username]);
    assert.deepEqual(new Set(users.map((u) => u.id)), new Set([a.session.user_id, b.session.user_id]));
  });

  test("a deleted account is gone and its token with it", async () => {
    const { client: c, session, device } = await signIn(context.server);
    // Deleting invalidates at one-second granularity: a token of the same second survives, and so
    // would one that the SDK refreshed on its own just before.
    c.autoRefreshSession = false;
    await new Promise((done) => setTimeout(done, 1100));
    await c.deleteAccount(session);
    await refused(c.getAccount(session), 401, 16);
    await refused(api().authenticateDevice(device, false), 404, 5);
  });
});
