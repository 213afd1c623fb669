-- Console roles become access lists; only administrators keep everything. The new column is committed
-- before it is filled, as CockroachDB wants it.

-- up
alter table console_user add column if not exists acl jsonb not null default '{"admin":false}';
-- then
update console_user set acl = jsonb_build_object('admin', role = 1);
alter table console_user drop column role;

-- down
alter table console_user
    add column if not exists role smallint not null default 4 check (role >= 1);
-- then
update console_user set role = case when (acl ->> 'admin')::boolean then 1 else 4 end;
alter table console_user drop column acl;
