-- A leaderboard may do without ranks.

-- up
alter table leaderboard add column if not exists enable_ranks boolean default true;

-- down
alter table leaderboard drop column if exists enable_ranks;
