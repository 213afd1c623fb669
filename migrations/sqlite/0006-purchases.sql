-- Purchases and subscriptions.

-- up
create table purchase (
    create_time integer not null default (cast(unixepoch('subsec') * 1000000 as integer)),
    environment integer not null default 0,
    product_id text not null check (length(product_id) <= 512),
    purchase_time integer not null default (cast(unixepoch('subsec') * 1000000 as integer)),
    raw_response text not null default '{}' check (json_valid(raw_response)),
    store integer not null default 0,
    transaction_id text primary key
        constraint purchase_transaction_id_check
        check (length(transaction_id) between 1 and 512),
    update_time integer not null default (cast(unixepoch('subsec') * 1000000 as integer)),
    user_id blob not null default x'00000000000000000000000000000000'
        references users (id) on delete set default,
    refund_time integer not null default 0
) strict;
create index purchase_time_user_id_transaction_id_idx
    on purchase (purchase_time desc, user_id desc, transaction_id desc);
-- SQLite looks for referring rows when an account is deleted.
create index purchase_user_id_idx on purchase (user_id);

create table subscription (
    original_transaction_id text primary key
        constraint subscription_original_transaction_id_check
        check (length(original_transaction_id) between 1 and 512),
    create_time integer not null default (cast(unixepoch('subsec') * 1000000 as integer)),
    update_time integer not null default (cast(unixepoch('subsec') * 1000000 as integer)),
    environment integer not null default 0,
    product_id text not null check (length(product_id) <= 512),
    purchase_time integer not null default (cast(unixepoch('subsec') * 1000000 as integer)),
    store integer not null default 0,
    user_id blob not null default x'00000000000000000000000000000000'
        references users (id) on delete set default,
    expire_time integer not null,
    raw_response text not null default '{}' check (json_valid(raw_response)),
    raw_notification text not null default '{}' check (json_valid(raw_notification)),
    refund_time integer not null default 0
) strict;
create index subscription_time_user_id_transaction_id_idx
    on subscription (purchase_time desc, user_id desc, original_transaction_id desc);
create index subscription_user_id_idx on subscription (user_id);

-- down
drop table subscription;
drop table purchase;
