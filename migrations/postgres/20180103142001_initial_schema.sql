-- Accounts, friends, chat, storage, leaderboards and groups.

-- up
create table if not exists users (
    id uuid primary key,
    username varchar(128) not null constraint users_username_key unique,
    display_name varchar(255),
    avatar_url varchar(512),
    lang_tag varchar(18) not null default 'en',
    location varchar(255),
    timezone varchar(255),
    metadata jsonb not null default '{}',
    wallet jsonb not null default '{}',
    email varchar(255) constraint users_email_key unique,
    password bytea constraint users_password_check check (length(password) < 32000),
    facebook_id varchar(128) constraint users_facebook_id_key unique,
    google_id varchar(128) constraint users_google_id_key unique,
    gamecenter_id varchar(128) constraint users_gamecenter_id_key unique,
    steam_id varchar(128) constraint users_steam_id_key unique,
    custom_id varchar(128) constraint users_custom_id_key unique,
    edge_count integer not null default 0 constraint users_edge_count_check check (edge_count >= 0),
    create_time timestamptz not null default now(),
    update_time timestamptz not null default now(),
    verify_time timestamptz not null default '1970-01-01 00:00:00 UTC',
    disable_time timestamptz not null default '1970-01-01 00:00:00 UTC'
);

-- The system user: sender of system notifications, owner of what belongs to nobody.
insert into users (id, username)
values ('00000000-0000-0000-0000-000000000000', '')
on conflict (id) do nothing;

create table if not exists user_device (
    id varchar(128) primary key,
    user_id uuid not null references users (id) on delete cascade,
    unique (user_id, id)
);

-- Friends: state 0 friend, 1 invited, 2 was invited, 3 blocked. `position` orders the listing.
create table if not exists user_edge (
    source_id uuid not null references users (id) on delete cascade
        constraint user_edge_source_id_check
        check (source_id <> '00000000-0000-0000-0000-000000000000'),
    position bigint not null,
    update_time timestamptz not null default now(),
    destination_id uuid not null references users (id) on delete cascade
        constraint user_edge_destination_id_check
        check (destination_id <> '00000000-0000-0000-0000-000000000000'),
    state smallint not null default 0,
    primary key (source_id, state, position),
    unique (source_id, destination_id)
);
create index if not exists user_edge_auto_index_fk_destination_id_ref_users
    on user_edge (destination_id);

create table if not exists notification (
    id uuid not null constraint notification_id_key unique,
    user_id uuid not null references users (id) on delete cascade,
    subject varchar(255) not null,
    content jsonb not null default '{}',
    code smallint not null,
    sender_id uuid not null,
    create_time timestamptz not null default now(),
    primary key (user_id, create_time, id)
);

create table if not exists storage (
    collection varchar(128) not null,
    key varchar(128) not null,
    user_id uuid not null references users (id) on delete cascade,
    value jsonb not null default '{}',
    version varchar(32) not null,
    read smallint not null default 1 check (read >= 0),
    write smallint not null default 1 check (write >= 0),
    create_time timestamptz not null default now(),
    update_time timestamptz not null default now(),
    primary key (collection, key, user_id)
);
create index if not exists collection_read_user_id_key_idx
    on storage (collection, read, user_id, key);
create index if not exists collection_read_key_user_id_idx
    on storage (collection, read, key, user_id);
create index if not exists collection_user_id_read_key_idx
    on storage (collection, user_id, read, key);
create index if not exists storage_auto_index_fk_user_id_ref_users on storage (user_id);

create table if not exists message (
    id uuid not null unique,
    code smallint not null default 0,
    sender_id uuid not null references users (id) on delete cascade,
    username varchar(128) not null,
    stream_mode smallint not null,
    stream_subject uuid not null,
    stream_descriptor uuid not null,
    stream_label varchar(128) not null,
    content jsonb not null default '{}',
    create_time timestamptz not null default now(),
    update_time timestamptz not null default now(),
    primary key
        (stream_mode, stream_subject, stream_descriptor, stream_label, create_time, id),
    unique (sender_id, id)
);

-- `sort_order` 0 ascending, 1 descending; `operator` 0 best, 1 set, 2 increment, 3 decrement.
create table if not exists leaderboard (
    id varchar(128) primary key,
    authoritative boolean not null default false,
    sort_order smallint not null default 1,
    operator smallint not null default 0,
    reset_schedule varchar(64),
    metadata jsonb not null default '{}',
    create_time timestamptz not null default now()
);

create table if not exists leaderboard_record (
    leaderboard_id varchar(128) not null references leaderboard (id) on delete cascade,
    owner_id uuid not null,
    username varchar(128),
    score bigint not null default 0 check (score >= 0),
    subscore bigint not null default 0 check (subscore >= 0),
    num_score integer not null default 1 check (num_score >= 0),
    metadata jsonb not null default '{}',
    create_time timestamptz not null default now(),
    update_time timestamptz not null default now(),
    expiry_time timestamptz not null default '1970-01-01 00:00:00 UTC',
    primary key (leaderboard_id, expiry_time, score, subscore, owner_id),
    unique (owner_id, leaderboard_id, expiry_time)
);

create table if not exists wallet_ledger (
    id uuid not null unique,
    user_id uuid not null references users (id) on delete cascade,
    changeset jsonb not null,
    metadata jsonb not null,
    create_time timestamptz not null default now(),
    update_time timestamptz not null default now(),
    primary key (user_id, create_time, id)
);

-- Accounts that were deleted and asked to be remembered as such.
create table if not exists user_tombstone (
    user_id uuid not null unique,
    create_time timestamptz not null default now(),
    primary key (create_time, user_id)
);

create table if not exists groups (
    id uuid not null unique,
    creator_id uuid not null,
    name varchar(255) not null constraint groups_name_key unique,
    description varchar(255),
    avatar_url varchar(512),
    lang_tag varchar(18) not null default 'en',
    metadata jsonb not null default '{}',
    state smallint not null default 0 check (state >= 0),
    edge_count integer not null default 0,
    max_count integer not null default 100 check (max_count >= 1),
    create_time timestamptz not null default now(),
    update_time timestamptz not null default now(),
    disable_time timestamptz not null default '1970-01-01 00:00:00 UTC',
    primary key (disable_time, lang_tag, edge_count, id),
    constraint groups_check check (edge_count >= 1 and edge_count <= max_count)
);
create index if not exists edge_count_update_time_id_idx
    on groups (disable_time, edge_count, update_time, id);
create index if not exists update_time_edge_count_id_idx
    on groups (disable_time, update_time, edge_count, id);

-- Members, both ways: state 0 superadmin, 1 admin, 2 member, 3 asks to join, 4 banned.
create table if not exists group_edge (
    source_id uuid not null
        constraint group_edge_source_id_check
        check (source_id <> '00000000-0000-0000-0000-000000000000'),
    position bigint not null,
    update_time timestamptz not null default now(),
    destination_id uuid not null
        constraint group_edge_destination_id_check
        check (destination_id <> '00000000-0000-0000-0000-000000000000'),
    state smallint not null default 0,
    primary key (source_id, state, position),
    unique (source_id, destination_id)
);

-- down
drop table if exists group_edge;
drop table if exists groups;
drop table if exists user_tombstone;
drop table if exists wallet_ledger;
drop table if exists leaderboard_record;
drop table if exists leaderboard;
drop table if exists message;
drop table if exists storage;
drop table if exists notification;
drop table if exists user_edge;
drop table if exists user_device;
drop table if exists users;
