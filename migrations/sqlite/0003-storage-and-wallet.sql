-- Storage objects and the history of wallets.

-- up
create table storage (
    collection text not null check (length(collection) <= 128),
    key text not null check (length(key) <= 128),
    user_id blob not null references users (id) on delete cascade,
    value text not null default '{}' check (json_valid(value)),
    version text not null check (length(version) <= 32),
    read integer not null default 1 constraint storage_read_check check (read >= 0),
    write integer not null default 1 constraint storage_write_check check (write >= 0),
    create_time integer not null default (cast(unixepoch('subsec') * 1000000 as integer)),
    update_time integer not null default (cast(unixepoch('subsec') * 1000000 as integer)),
    primary key (collection, key, user_id)
) strict;
create index collection_read_key_user_id_idx on storage (collection, read, key, user_id);
create index collection_read_user_id_key_idx on storage (collection, read, user_id, key);
create index collection_user_id_read_key_idx on storage (collection, user_id, read, key);
create index storage_auto_index_fk_user_id_ref_users on storage (user_id);

create table wallet_ledger (
    id blob not null check (length(id) = 16),
    user_id blob not null references users (id) on delete cascade,
    changeset text not null check (json_valid(changeset)),
    metadata text not null check (json_valid(metadata)),
    create_time integer not null default (cast(unixepoch('subsec') * 1000000 as integer)),
    update_time integer not null default (cast(unixepoch('subsec') * 1000000 as integer)),
    primary key (user_id, create_time, id)
) strict;
create unique index wallet_ledger_id_key on wallet_ledger (id);

-- down
drop table wallet_ledger;
drop table storage;
