-- Console users, their audit log, templates of access lists, settings.

-- up
create table console_user (
    create_time integer not null default (cast(unixepoch('subsec') * 1000000 as integer)),
    disable_time integer not null default 0,
    email text not null check (length(email) <= 255),
    id blob primary key check (length(id) = 16),
    metadata text not null default '{}' check (json_valid(metadata)),
    password blob constraint console_user_password_check check (length(password) < 32000),
    update_time integer not null default (cast(unixepoch('subsec') * 1000000 as integer)),
    username text not null check (length(username) <= 128),
    mfa_secret blob,
    mfa_recovery_codes blob,
    mfa_required integer default 0 check (mfa_required in (0, 1)),
    acl text not null default '{"admin": false}' check (json_valid(acl))
) strict;
create unique index console_user_email_uniq on console_user (email);
create unique index console_user_username_uniq on console_user (username);

create table console_audit_log (
    create_time integer not null default (cast(unixepoch('subsec') * 1000000 as integer)),
    id blob not null check (length(id) = 16),
    console_user_id blob not null check (length(console_user_id) = 16),
    console_username text not null,
    email text not null,
    action text not null,
    resource text not null,
    message text not null,
    metadata text not null default '{}' check (json_valid(metadata)),
    primary key (create_time, console_username, action, resource, id)
) strict;
create unique index console_audit_log_id_key on console_audit_log (id);

create table console_acl_template (
    id blob primary key check (length(id) = 16),
    name text not null
        constraint console_acl_template_name_check check (length(name) between 1 and 64),
    description text not null default '' check (length(description) <= 64),
    acl text not null default '{}' check (json_valid(acl)),
    create_time integer not null default (cast(unixepoch('subsec') * 1000000 as integer)),
    update_time integer not null default (cast(unixepoch('subsec') * 1000000 as integer))
) strict;
create unique index template_name_uniq on console_acl_template (name);

create table setting (
    name text primary key constraint setting_name_check check (length(name) between 1 and 64),
    value text not null default '{}' check (json_valid(value)),
    update_time integer not null default (cast(unixepoch('subsec') * 1000000 as integer))
) strict;
insert into setting (name, value) values ('utc_toggle', 'false');

-- down
drop table setting;
drop table console_acl_template;
drop table console_audit_log;
drop table console_user;
