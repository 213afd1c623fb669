-- Leaderboards, tournaments and their records.

-- up
create table leaderboard (
    id text primary key check (length(id) <= 128),
    authoritative integer not null default 0 check (authoritative in (0, 1)),
    sort_order integer not null default 1,
    operator integer not null default 0,
    reset_schedule text check (length(reset_schedule) <= 64),
    metadata text not null default '{}' check (json_valid(metadata)),
    create_time integer not null default (cast(unixepoch('subsec') * 1000000 as integer)),
    category integer not null default 0
        constraint leaderboard_category_check check (category >= 0),
    description text not null default '' check (length(description) <= 255),
    duration integer not null default 0
        constraint leaderboard_duration_check check (duration >= 0),
    end_time integer not null default 0,
    join_required integer not null default 0 check (join_required in (0, 1)),
    max_size integer not null default 100000000
        constraint leaderboard_max_size_check check (max_size > 0),
    max_num_score integer not null default 1000000
        constraint leaderboard_max_num_score_check check (max_num_score > 0),
    title text not null default '' check (length(title) <= 255),
    size integer not null default 0,
    start_time integer not null default (cast(unixepoch('subsec') * 1000000 as integer)),
    enable_ranks integer default 1 check (enable_ranks in (0, 1))
) strict;
create index duration_start_time_end_time_category_idx
    on leaderboard (duration, start_time, end_time desc, category);
create index leaderboard_create_time_id_idx on leaderboard (create_time, id);

create table leaderboard_record (
    leaderboard_id text not null references leaderboard (id) on delete cascade,
    owner_id blob not null check (length(owner_id) = 16),
    username text check (length(username) <= 128),
    score integer not null default 0
        constraint leaderboard_record_score_check check (score >= 0),
    subscore integer not null default 0
        constraint leaderboard_record_subscore_check check (subscore >= 0),
    num_score integer not null default 1
        constraint leaderboard_record_num_score_check check (num_score >= 0),
    metadata text not null default '{}' check (json_valid(metadata)),
    create_time integer not null default (cast(unixepoch('subsec') * 1000000 as integer)),
    update_time integer not null default (cast(unixepoch('subsec') * 1000000 as integer)),
    expiry_time integer not null default 0,
    max_num_score integer not null default 1000000
        constraint leaderboard_record_max_num_score_check check (max_num_score > 0),
    primary key (leaderboard_id, expiry_time, score, subscore, owner_id)
) strict;
create unique index leaderboard_record_owner_id_leaderboard_id_expiry_time_key
    on leaderboard_record (owner_id, leaderboard_id, expiry_time);
create index owner_id_expiry_time_leaderboard_id_idx
    on leaderboard_record (owner_id, expiry_time, leaderboard_id);

-- down
drop table leaderboard_record;
drop table leaderboard;
