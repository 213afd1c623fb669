-- Search in display names. The index is built beside running writes, which no transaction can.

-- up, without a transaction
create extension if not exists pg_trgm;
create index concurrently if not exists users_display_name_idx
    on users using gin (display_name gin_trgm_ops);

-- down
drop index if exists users_display_name_idx;
