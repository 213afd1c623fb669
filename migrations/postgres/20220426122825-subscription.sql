-- Subscriptions.

-- up
create table if not exists subscription (
    original_transaction_id varchar(512) primary key
        check (length(original_transaction_id) > 0),
    create_time timestamptz not null default now(),
    update_time timestamptz not null default now(),
    environment smallint not null default 0,
    product_id varchar(512) not null,
    purchase_time timestamptz not null default now(),
    store smallint not null default 0,
    user_id uuid references users (id) on delete set null,
    expire_time timestamptz not null
);
create index if not exists subscription_user_id_purchase_time_transaction_id_idx
    on subscription (user_id, purchase_time desc, original_transaction_id);

-- down
drop table if exists subscription;
