-- Purchases of nobody become the system user's: then the constraints.

-- up
alter table purchase
    alter column user_id set not null,
    alter column user_id set default '00000000-0000-0000-0000-000000000000';
alter table subscription
    alter column user_id set not null,
    alter column user_id set default '00000000-0000-0000-0000-000000000000';
alter table purchase add constraint purchase_user_id_fkey
    foreign key (user_id) references users (id) on delete set default;
alter table subscription add constraint subscription_user_id_fkey
    foreign key (user_id) references users (id) on delete set default;

-- down
alter table purchase
    drop constraint if exists purchase_user_id_fkey,
    drop constraint if exists fk_user_id_ref_users,
    alter column user_id drop default,
    alter column user_id drop not null;
alter table subscription
    drop constraint if exists subscription_user_id_fkey,
    drop constraint if exists fk_user_id_ref_users,
    alter column user_id drop default,
    alter column user_id drop not null;
