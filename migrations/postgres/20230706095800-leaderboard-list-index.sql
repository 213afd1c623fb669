-- Leaderboards are listed in the order of their creation.

-- up
create index if not exists leaderboard_create_time_id_idx on leaderboard (create_time, id);

-- down
drop index if exists leaderboard_create_time_id_idx;
