-- Accounts, their devices, notes on them, and what remains of deleted ones.

-- up
create table users (
    id blob primary key check (length(id) = 16),
    username text not null check (length(username) <= 128),
    display_name text check (length(display_name) <= 255),
    avatar_url text check (length(avatar_url) <= 512),
    lang_tag text not null default 'en' check (length(lang_tag) <= 18),
    location text check (length(location) <= 255),
    timezone text check (length(timezone) <= 255),
    metadata text not null default '{}' check (json_valid(metadata)),
    wallet text not null default '{}' check (json_valid(wallet)),
    email text check (length(email) <= 255),
    password blob constraint users_password_check check (length(password) < 32000),
    facebook_id text check (length(facebook_id) <= 128),
    google_id text check (length(google_id) <= 128),
    gamecenter_id text check (length(gamecenter_id) <= 128),
    steam_id text check (length(steam_id) <= 128),
    custom_id text check (length(custom_id) <= 128),
    edge_count integer not null default 0
        constraint users_edge_count_check check (edge_count >= 0),
    create_time integer not null default (cast(unixepoch('subsec') * 1000000 as integer)),
    update_time integer not null default (cast(unixepoch('subsec') * 1000000 as integer)),
    verify_time integer not null default 0,
    disable_time integer not null default 0,
    facebook_instant_game_id text check (length(facebook_instant_game_id) <= 128),
    apple_id text check (length(apple_id) <= 128)
) strict;
create unique index users_username_key on users (username);
create unique index users_email_key on users (email);
create unique index users_facebook_id_key on users (facebook_id);
create unique index users_google_id_key on users (google_id);
create unique index users_gamecenter_id_key on users (gamecenter_id);
create unique index users_steam_id_key on users (steam_id);
create unique index users_custom_id_key on users (custom_id);
create unique index users_facebook_instant_game_id_key on users (facebook_instant_game_id);
create unique index users_apple_id_key on users (apple_id);

-- The system user: sender of system notifications, owner of what belongs to nobody.
insert into users (id, username) values (zeroblob(16), '');

create table user_device (
    id text primary key check (length(id) <= 128),
    user_id blob not null references users (id) on delete cascade,
    preferences text not null default '{}' check (json_valid(preferences)),
    push_token_amazon text not null default '' check (length(push_token_amazon) <= 512),
    push_token_android text not null default '' check (length(push_token_android) <= 512),
    push_token_huawei text not null default '' check (length(push_token_huawei) <= 512),
    push_token_ios text not null default '' check (length(push_token_ios) <= 512),
    push_token_web text not null default '' check (length(push_token_web) <= 512)
) strict, without rowid;
create unique index user_device_user_id_id_key on user_device (user_id, id);

create table user_tombstone (
    user_id blob not null check (length(user_id) = 16),
    create_time integer not null default (cast(unixepoch('subsec') * 1000000 as integer)),
    primary key (create_time, user_id)
) strict, without rowid;
create unique index user_tombstone_user_id_key on user_tombstone (user_id);

create table users_notes (
    id blob not null check (length(id) = 16),
    user_id blob not null references users (id) on delete cascade,
    create_time integer not null default (cast(unixepoch('subsec') * 1000000 as integer)),
    update_time integer not null default (cast(unixepoch('subsec') * 1000000 as integer)),
    note text not null,
    create_id blob check (length(create_id) = 16),
    update_id blob check (length(update_id) = 16),
    primary key (user_id, create_time, id)
) strict;
create unique index users_notes_id_key on users_notes (id);

-- down
drop table users_notes;
drop table user_tombstone;
drop table user_device;
drop table users;
