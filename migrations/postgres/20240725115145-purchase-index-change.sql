-- Purchases and subscriptions are listed by time, of all users.

-- up
drop index if exists purchase_user_id_purchase_time_transaction_id_idx;
drop index if exists subscription_user_id_purchase_time_transaction_id_idx;
create index if not exists purchase_time_user_id_transaction_id_idx
    on purchase (purchase_time desc, user_id desc, transaction_id desc);
create index if not exists subscription_time_user_id_transaction_id_idx
    on subscription (purchase_time desc, user_id desc, original_transaction_id desc);

-- down
drop index if exists subscription_time_user_id_transaction_id_idx;
drop index if exists purchase_time_user_id_transaction_id_idx;
create index if not exists purchase_user_id_purchase_time_transaction_id_idx
    on purchase (user_id, purchase_time desc, transaction_id);
create index if not exists subscription_user_id_purchase_time_transaction_id_idx
    on subscription (user_id, purchase_time desc, original_transaction_id);
