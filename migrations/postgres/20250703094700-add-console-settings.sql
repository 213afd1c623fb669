-- Settings of the console.

-- up
create table if not exists setting (
    name varchar(64) not null constraint setting_name_uniq primary key
        constraint setting_name_check check (length(name) > 0),
    value jsonb not null default '{}',
    update_time timestamptz not null default now()
);
insert into setting (name, value) values ('utc_toggle', 'false') on conflict (name) do nothing;

-- down
drop table if exists setting;
