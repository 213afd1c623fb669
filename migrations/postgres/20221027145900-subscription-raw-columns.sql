-- What the stores answered, and refunds.

-- up
alter table subscription
    add column if not exists raw_response jsonb not null default '{}',
    add column if not exists raw_notification jsonb not null default '{}',
    add column if not exists refund_time timestamptz not null default '1970-01-01 00:00:00 UTC';
alter table purchase
    add column if not exists refund_time timestamptz not null default '1970-01-01 00:00:00 UTC';

-- down
alter table purchase drop column if exists refund_time;
alter table subscription
    drop column if exists refund_time,
    drop column if exists raw_notification,
    drop column if exists raw_response;
