-- Friends, groups and their members. States as on PostgreSQL.

-- up
create table user_edge (
    source_id blob not null references users (id) on delete cascade
        constraint user_edge_source_id_check check (source_id <> zeroblob(16)),
    position integer not null,
    update_time integer not null default (cast(unixepoch('subsec') * 1000000 as integer)),
    destination_id blob not null references users (id) on delete cascade
        constraint user_edge_destination_id_check check (destination_id <> zeroblob(16)),
    state integer not null default 0,
    metadata text not null default '{}' check (json_valid(metadata)),
    primary key (source_id, state, position)
) strict, without rowid;
create unique index user_edge_source_id_destination_id_key
    on user_edge (source_id, destination_id);
create index user_edge_auto_index_fk_destination_id_ref_users on user_edge (destination_id);

create table groups (
    id blob not null check (length(id) = 16),
    creator_id blob not null check (length(creator_id) = 16),
    name text not null check (length(name) <= 255),
    description text check (length(description) <= 255),
    avatar_url text check (length(avatar_url) <= 512),
    lang_tag text not null default 'en' check (length(lang_tag) <= 18),
    metadata text not null default '{}' check (json_valid(metadata)),
    state integer not null default 0 constraint groups_state_check check (state >= 0),
    edge_count integer not null default 0,
    max_count integer not null default 100
        constraint groups_max_count_check check (max_count >= 1),
    create_time integer not null default (cast(unixepoch('subsec') * 1000000 as integer)),
    update_time integer not null default (cast(unixepoch('subsec') * 1000000 as integer)),
    disable_time integer not null default 0,
    primary key (disable_time, lang_tag, edge_count, id),
    constraint groups_check check (edge_count >= 1 and edge_count <= max_count)
) strict;
create unique index groups_id_key on groups (id);
create unique index groups_name_key on groups (name);
create index edge_count_update_time_id_idx on groups (disable_time, edge_count, update_time, id);
create index update_time_edge_count_id_idx on groups (disable_time, update_time, edge_count, id);

create table group_edge (
    source_id blob not null
        constraint group_edge_source_id_check check (source_id <> zeroblob(16)),
    position integer not null,
    update_time integer not null default (cast(unixepoch('subsec') * 1000000 as integer)),
    destination_id blob not null
        constraint group_edge_destination_id_check check (destination_id <> zeroblob(16)),
    state integer not null default 0,
    primary key (source_id, state, position)
) strict, without rowid;
create unique index group_edge_source_id_destination_id_key
    on group_edge (source_id, destination_id);

-- down
drop table group_edge;
drop table groups;
drop table user_edge;
