-- Console users, purchase receipts, push tokens of devices.

-- up
create table if not exists console_user (
    create_time timestamptz not null default now(),
    disable_time timestamptz not null default '1970-01-01 00:00:00 UTC',
    email varchar(255) not null constraint console_user_email_uniq unique,
    id uuid primary key,
    metadata jsonb not null default '{}',
    password bytea check (length(password) < 32000),
    role smallint not null default 4 check (role >= 1),
    update_time timestamptz not null default now(),
    username varchar(128) not null constraint console_user_username_uniq unique
);
create table if not exists purchase_receipt (
    create_time timestamptz not null default now(),
    product_id varchar(512) not null,
    purchase_time timestamptz not null default now(),
    raw_response jsonb not null default '{}',
    receipt text primary key check (length(receipt) > 0),
    store smallint not null default 0,
    transaction_id varchar(512) not null check (length(transaction_id) > 0),
    update_time timestamptz not null default now(),
    user_id uuid not null references users (id)
);
create index if not exists purchase_receipt_user_id_purchase_time_transaction_id_idx
    on purchase_receipt (user_id, purchase_time desc, transaction_id);
alter table user_device
    add column if not exists preferences jsonb not null default '{}',
    add column if not exists push_token_amazon varchar(512) not null default '',
    add column if not exists push_token_android varchar(512) not null default '',
    add column if not exists push_token_huawei varchar(512) not null default '',
    add column if not exists push_token_ios varchar(512) not null default '',
    add column if not exists push_token_web varchar(512) not null default '';

-- down
alter table user_device
    drop column if exists push_token_web,
    drop column if exists push_token_ios,
    drop column if exists push_token_huawei,
    drop column if exists push_token_android,
    drop column if exists push_token_amazon,
    drop column if exists preferences;
drop table if exists purchase_receipt;
drop table if exists console_user;
