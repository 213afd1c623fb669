-- Chat history and notifications.

-- up
create table message (
    id blob not null check (length(id) = 16),
    code integer not null default 0,
    sender_id blob not null references users (id) on delete cascade,
    username text not null check (length(username) <= 128),
    stream_mode integer not null,
    stream_subject blob not null check (length(stream_subject) = 16),
    stream_descriptor blob not null check (length(stream_descriptor) = 16),
    stream_label text not null check (length(stream_label) <= 128),
    content text not null default '{}' check (json_valid(content)),
    create_time integer not null default (cast(unixepoch('subsec') * 1000000 as integer)),
    update_time integer not null default (cast(unixepoch('subsec') * 1000000 as integer)),
    primary key
        (stream_mode, stream_subject, stream_descriptor, stream_label, create_time, id)
) strict;
create unique index message_id_key on message (id);
create unique index message_sender_id_id_key on message (sender_id, id);

create table notification (
    id blob not null check (length(id) = 16),
    user_id blob not null references users (id) on delete cascade,
    subject text not null check (length(subject) <= 255),
    content text not null default '{}' check (json_valid(content)),
    code integer not null,
    sender_id blob not null check (length(sender_id) = 16),
    create_time integer not null default (cast(unixepoch('subsec') * 1000000 as integer)),
    primary key (user_id, create_time, id)
) strict;
create unique index notification_id_key on notification (id);

-- down
drop table notification;
drop table message;
