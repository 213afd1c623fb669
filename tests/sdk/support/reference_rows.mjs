// The rows of a game that another server of this protocol, 3.40, ran: each table as that one writes it.
// Times are of the past, ids are fixed, and positions of edges are nanoseconds since 1970.

const id = (n) => `${String(n).padStart(8, "0")}-aaaa-4bbb-8ccc-dddddddddddd`;
export const [ANN, BOB, CAT, DAN, EVE] = [1, 2, 3, 4, 5].map(id);
export const [READERS, CIRCLE] = [21, 22].map(id);
export const NIL = "00000000-0000-0000-0000-000000000000";
export const PASSWORD = "correct horse";
const HASH = "$2a$10$abcdefghijklmnopqrstuu23JPZtHcGhwXSF41f93o/7vBdDut3Xu";

/** What a client sent, which is what versions are made of; the column holds it as PostgreSQL writes it. */
export const SENT = { save: '{"hp":7,"bag":["rope"],"at":{"y":2.50,"x":1}}', motd: '{"text":"欠片"}' };

const DAY = 86_400;
/** The next time of `0 0 * * 1`, in seconds. */
export function nextMonday(now = Date.now()) {
  const days = Math.floor(now / 1000 / DAY);
  // The first day of 1970 was a Thursday.
  return (days + 1 + ((7 - ((days + 4) % 7)) % 7)) * DAY;
}
/** The next time of `0 0 * * *`. */
export const nextMidnight = (now = Date.now()) => (Math.floor(now / 1000 / DAY) + 1) * DAY;

export function rows() {
  const monday = nextMonday();
  const midnight = nextMidnight();
  return `
INSERT INTO users (id, username, display_name, avatar_url, lang_tag, location, timezone, metadata, wallet, email, password,
    facebook_id, google_id, edge_count, create_time, update_time, verify_time) VALUES
  ('${ANN}', 'Ann Ünï', 'Ann', 'https://example.com/a.png', 'de', 'Köln', 'Europe/Berlin', '{"vip": true, "level": 3}',
   '{"gold": 70, "gems": 5}', 'ann@example.com', '${HASH}', 'fb-ann', 'google-ann', 4,
   '2024-05-01 10:00:00.123456+00', '2024-06-01 10:00:00+00', '2024-05-02 10:00:00+00');
INSERT INTO users (id, username, edge_count, create_time, update_time) VALUES
  ('${BOB}', 'bob', 1, '2024-05-01 11:00:00+00', '2024-05-01 11:00:00+00');
INSERT INTO users (id, username, custom_id, edge_count, create_time, update_time) VALUES
  ('${CAT}', 'cat', 'custom-of-cat', 1, '2024-05-01 12:00:00+00', '2024-05-01 12:00:00+00');
INSERT INTO users (id, username, steam_id, gamecenter_id, apple_id, facebook_instant_game_id, create_time, update_time, disable_time) VALUES
  ('${DAN}', 'dan', 'steam-dan', 'gc-dan', 'apple-dan', 'fbig-dan', now(), now(), '2024-07-01 10:00:00+00');
INSERT INTO user_device (id, user_id) VALUES ('device-of-bob-1', '${BOB}'), ('device-of-dan-1', '${DAN}');
INSERT INTO user_device (id, user_id, preferences, push_token_ios) VALUES ('device-of-bob-2', '${BOB}', '{"sound": false}', 'a token');
INSERT INTO user_tombstone (user_id, create_time) VALUES ('${EVE}', '2024-07-02 10:00:00+00');

-- Ann's count is one too high: a friend of hers deleted the account, which did not lower it.
INSERT INTO user_edge (source_id, destination_id, state, position, update_time, metadata) VALUES
  ('${ANN}', '${BOB}', 0, 1714557600000000001, '2024-05-03 10:00:00+00', '{"met": "here"}'),
  ('${BOB}', '${ANN}', 0, 1714557600000000001, '2024-05-03 10:00:00+00', '{}'),
  ('${ANN}', '${CAT}', 1, 1714557600000000002, '2024-05-04 10:00:00+00', '{}'),
  ('${CAT}', '${ANN}', 2, 1714557600000000002, '2024-05-04 10:00:00+00', '{}'),
  ('${ANN}', '${DAN}', 3, 1714557600000000003, '2024-05-05 10:00:00+00', '{}');

INSERT INTO groups (id, creator_id, name, description, avatar_url, state, metadata, edge_count, create_time, update_time) VALUES
  ('${READERS}', '${ANN}', 'Readers', 'we read', 'https://example.com/g.png', 0, '{"motto": "read"}', 3, '2024-05-06 10:00:00+00', '2024-05-06 10:00:00+00');
INSERT INTO groups (id, creator_id, name, description, avatar_url, state, lang_tag, max_count, edge_count, create_time, update_time) VALUES
  ('${CIRCLE}', '${BOB}', 'Closed circle', '', '', 1, 'fr', 7, 1, '2024-05-07 10:00:00+00', '2024-05-07 10:00:00+00');
INSERT INTO group_edge (source_id, destination_id, state, position) VALUES
  ('${READERS}', '${ANN}', 0, 1714989600000000001), ('${ANN}', '${READERS}', 0, 1714989600000000001),
  ('${READERS}', '${BOB}', 1, 1714989600000000002), ('${BOB}', '${READERS}', 1, 1714989600000000002),
  ('${READERS}', '${CAT}', 2, 1714989600000000003), ('${CAT}', '${READERS}', 2, 1714989600000000003),
  ('${READERS}', '${DAN}', 4, 1714989600000000004),
  ('${CIRCLE}', '${BOB}', 0, 1714989600000000005), ('${BOB}', '${CIRCLE}', 0, 1714989600000000005),
  ('${CIRCLE}', '${ANN}', 3, 1714989600000000006), ('${ANN}', '${CIRCLE}', 3, 1714989600000000006);

INSERT INTO storage (collection, key, user_id, value, version, read, write, create_time, update_time) VALUES
  ('saves', 'one', '${ANN}', '${SENT.save}', md5('${SENT.save}'), 1, 1, '2024-05-08 10:00:00+00', '2024-05-09 10:00:00+00'),
  ('saves', 'hidden', '${ANN}', '{}', md5('{}'), 0, 0, '2024-05-08 10:00:00+00', '2024-05-08 10:00:00+00'),
  ('saves', 'shown', '${ANN}', '{"best": 9}', md5('{"best":9}'), 2, 0, '2024-05-08 10:00:00+00', '2024-05-08 10:00:00+00'),
  ('config', 'motd', '${NIL}', '${SENT.motd}', md5('${SENT.motd}'), 2, 0, '2024-05-08 10:00:00+00', '2024-05-08 10:00:00+00');

INSERT INTO wallet_ledger (id, user_id, changeset, metadata, create_time, update_time) VALUES
  ('${id(31)}', '${ANN}', '{"gold": 100, "gems": 5}', '{"why": "welcome"}', '2024-05-10 10:00:00+00', '2024-05-10 10:00:00+00'),
  ('${id(32)}', '${ANN}', '{"gold": -30}', '{}', '2024-05-11 10:00:00+00', '2024-05-11 10:00:00+00');

INSERT INTO message (id, code, sender_id, username, stream_mode, stream_subject, stream_descriptor, stream_label, content, create_time, update_time) VALUES
  ('${id(41)}', 0, '${ANN}', 'Ann Ünï', 2, '${NIL}', '${NIL}', 'lobby', '{"say": "one"}', '2024-05-12 10:00:00.000001+00', '2024-05-12 10:00:00.000001+00'),
  ('${id(42)}', 0, '${DAN}', 'dan', 2, '${NIL}', '${NIL}', 'lobby', '{"say": "two"}', '2024-05-12 10:00:00.000002+00', '2024-05-12 10:05:00+00'),
  ('${id(43)}', 3, '${BOB}', 'bob', 3, '${READERS}', '${NIL}', '', '{}', '2024-05-12 11:00:00+00', '2024-05-12 11:00:00+00'),
  ('${id(44)}', 0, '${BOB}', 'bob', 3, '${READERS}', '${NIL}', '', '{"say": "group"}', '2024-05-12 11:01:00+00', '2024-05-12 11:01:00+00'),
  ('${id(45)}', 0, '${BOB}', 'bob', 4, '${ANN}', '${BOB}', '', '{"say": "direct"}', '2024-05-12 12:00:00+00', '2024-05-12 12:00:00+00');

INSERT INTO notification (id, user_id, subject, content, code, sender_id, create_time) VALUES
  ('${id(51)}', '${ANN}', 'bob accepted your friend request', '{"username": "bob"}', -3, '${BOB}', '2024-05-13 10:00:00+00'),
  ('${id(52)}', '${ANN}', 'A gift', '{"gold": 1}', 101, '${NIL}', '2024-05-13 11:00:00+00');

INSERT INTO leaderboard (id, authoritative, sort_order, operator, metadata, reset_schedule, create_time, start_time) VALUES
  ('weekly', false, 1, 0, '{"kind": "pvp"}', '0 0 * * 1', '2024-05-01 10:00:00+00', '2024-05-01 10:00:00+00');
INSERT INTO leaderboard (id, authoritative, sort_order, operator, metadata, create_time, start_time) VALUES
  ('forever', true, 0, 2, '{}', '2024-05-02 10:00:00+00', '2024-05-02 10:00:00+00');
INSERT INTO leaderboard (id, authoritative, sort_order, operator, duration, reset_schedule, metadata, category, description, join_required,
    max_size, max_num_score, title, start_time, create_time, size) VALUES
  ('daily cup', false, 1, 0, ${DAY}, '0 0 * * *', '{"prize": "cake"}', 3, 'every day', true, 3, 5, 'The Cup', '2024-05-01 10:00:00+00', '2024-05-03 10:00:00+00', 2);
INSERT INTO leaderboard (id, authoritative, sort_order, operator, duration, metadata, title, max_size, end_time, start_time, create_time) VALUES
  ('old cup', false, 1, 0, 3600, '{}', 'Over', 2147483647, '2024-05-20 10:00:00+00', '2024-05-01 10:00:00+00', '2024-05-04 10:00:00+00');
INSERT INTO leaderboard_record (leaderboard_id, owner_id, username, score, subscore, num_score, metadata, expiry_time) VALUES
  ('weekly', '${ANN}', 'Ann Ünï', 50, 1, 4, '{"map": "sea"}', to_timestamp(${monday})),
  ('weekly', '${BOB}', 'bob', 50, 2, 1, '{}', to_timestamp(${monday})),
  ('weekly', '${CAT}', null, 90, 0, 2, '{}', to_timestamp(${monday})),
  ('weekly', '${BOB}', 'bob', 7, 0, 1, '{}', to_timestamp(${monday - 7 * DAY}));
INSERT INTO leaderboard_record (leaderboard_id, owner_id, username, score) VALUES
  ('forever', '${ANN}', 'Ann Ünï', 3), ('forever', '${BOB}', 'bob', 2);
INSERT INTO leaderboard_record (leaderboard_id, owner_id, username, score, num_score, max_num_score, expiry_time) VALUES
  ('daily cup', '${ANN}', 'Ann Ünï', 0, 0, 5, to_timestamp(${midnight})),
  ('daily cup', '${BOB}', 'bob', 12, 2, 5, to_timestamp(${midnight}));`;
}
