-- Notes on accounts, the console's audit log, templates of access lists.

-- up
create table if not exists users_notes (
    id uuid not null unique,
    user_id uuid not null references users (id) on delete cascade,
    create_time timestamptz not null default now(),
    update_time timestamptz not null default now(),
    note text not null,
    create_id uuid,
    update_id uuid,
    primary key (user_id, create_time, id)
);
create table if not exists console_audit_log (
    create_time timestamptz not null default now(),
    id uuid not null unique,
    console_user_id uuid not null,
    console_username text not null,
    email text not null,
    action text not null,
    resource text not null,
    message text not null,
    metadata jsonb not null default '{}',
    primary key (create_time, console_username, action, resource, id)
);
create table if not exists console_acl_template (
    id uuid primary key,
    name varchar(64) not null constraint template_name_uniq unique check (length(name) > 0),
    description varchar(64) not null default '',
    acl jsonb not null default '{}',
    create_time timestamptz not null default now(),
    update_time timestamptz not null default now()
);

-- down
drop table if exists console_acl_template;
drop table if exists console_audit_log;
drop table if exists users_notes;
