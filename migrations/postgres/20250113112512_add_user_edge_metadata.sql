-- Metadata of a friendship.

-- up
alter table user_edge add column metadata jsonb not null default '{}';

-- down
alter table user_edge drop column metadata;
