-- Purchases by transaction instead of by receipt.

-- up
drop table if exists purchase_receipt;
create table if not exists purchase (
    create_time timestamptz not null default now(),
    environment smallint not null default 0,
    product_id varchar(512) not null,
    purchase_time timestamptz not null default now(),
    raw_response jsonb not null default '{}',
    store smallint not null default 0,
    transaction_id varchar(512) primary key check (length(transaction_id) > 0),
    update_time timestamptz not null default now(),
    user_id uuid references users (id) on delete set null
);
create index if not exists purchase_user_id_purchase_time_transaction_id_idx
    on purchase (user_id, purchase_time desc, transaction_id);

-- down
drop table if exists purchase;
create table if not exists purchase_receipt (
    create_time timestamptz not null default now(),
    product_id varchar(512) not null,
    purchase_time timestamptz not null default now(),
    raw_response jsonb not null default '{}',
    receipt text primary key check (length(receipt) > 0),
    store smallint not null default 0,
    transaction_id varchar(512) not null check (length(transaction_id) > 0),
    update_time timestamptz not null default now(),
    user_id uuid not null
);
create index if not exists purchase_receipt_user_id_purchase_time_transaction_id_idx
    on purchase_receipt (user_id, purchase_time desc, transaction_id);
