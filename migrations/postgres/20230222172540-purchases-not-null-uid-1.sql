-- Purchases of nobody become the system user's: first the rows.

-- up
alter table purchase
    drop constraint if exists purchase_user_id_fkey,
    drop constraint if exists fk_user_id_ref_users;
alter table subscription
    drop constraint if exists subscription_user_id_fkey,
    drop constraint if exists fk_user_id_ref_users;
update purchase set user_id = '00000000-0000-0000-0000-000000000000' where user_id is null;
update subscription set user_id = '00000000-0000-0000-0000-000000000000' where user_id is null;

-- down
update purchase set user_id = null where user_id = '00000000-0000-0000-0000-000000000000';
update subscription set user_id = null where user_id = '00000000-0000-0000-0000-000000000000';
alter table purchase add constraint purchase_user_id_fkey
    foreign key (user_id) references users (id) on delete set null;
alter table subscription add constraint subscription_user_id_fkey
    foreign key (user_id) references users (id) on delete set null;
