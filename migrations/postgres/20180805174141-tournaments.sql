-- Tournaments are leaderboards with a duration.

-- up
alter table leaderboard
    add column category smallint not null default 0 check (category >= 0),
    add column description varchar(255) not null default '',
    add column duration integer not null default 0 check (duration >= 0),
    add column end_time timestamptz not null default '1970-01-01 00:00:00 UTC',
    add column join_required boolean not null default false,
    add column max_size integer not null default 100000000 check (max_size > 0),
    add column max_num_score integer not null default 1000000 check (max_num_score > 0),
    add column title varchar(255) not null default '',
    add column size integer not null default 0,
    add column start_time timestamptz not null default now();
alter table leaderboard_record
    add column max_num_score integer not null default 1000000 check (max_num_score > 0);
create index if not exists duration_start_time_end_time_category_idx
    on leaderboard (duration, start_time, end_time desc, category);
create index if not exists owner_id_expiry_time_leaderboard_id_idx
    on leaderboard_record (owner_id, expiry_time, leaderboard_id);

-- down
drop index if exists owner_id_expiry_time_leaderboard_id_idx;
drop index if exists duration_start_time_end_time_category_idx;
alter table leaderboard_record drop column if exists max_num_score;
alter table leaderboard
    drop column if exists category,
    drop column if exists description,
    drop column if exists duration,
    drop column if exists end_time,
    drop column if exists join_required,
    drop column if exists max_size,
    drop column if exists max_num_score,
    drop column if exists title,
    drop column if exists size,
    drop column if exists start_time;
