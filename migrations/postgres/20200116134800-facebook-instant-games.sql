-- Sign-in by Facebook Instant Games.

-- up
alter table users add column facebook_instant_game_id varchar(128) unique;

-- down
alter table users drop column if exists facebook_instant_game_id;
